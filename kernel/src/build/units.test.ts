import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { affectedUnits, notBuilt } from "./units.js";

/** A tree just large enough for Kbuild's own evaluation of makefiles, with the names that kernels use for its parts. */
const TREE = {
  "scripts/Kbuild.include": "",
  "scripts/Makefile.lib": `
subdir-ym := $(patsubst %/,%,$(filter %/,$(obj-y) $(obj-m)))
real-obj-y := $(addprefix $(obj)/,$(filter-out %/,$(obj-y)))
real-obj-m := $(addprefix $(obj)/,$(foreach m,$(obj-m),$(if $($(m:.o=-y)),$($(m:.o=-y)),$(m))))
subdir-ym := $(addprefix $(obj)/,$(subdir-ym))
lib-y := $(addprefix $(obj)/,$(lib-y))
`,
  "fs/Makefile":
    "obj-y += a.o off/\nobj-$(CONFIG_EXT9) += ext9/\nlib-y += l.o\nobj-$(CONFIG_NONE) += none/\n",
  "fs/a.c": '#include "parts/part.c"\n#include <linux/both.h>\n',
  "fs/l.c": "",
  "fs/alone.c": "",
  "fs/parts/part.c": '#include "part.h"\n',
  "fs/parts/part.h": "#  include  <linux/deep.h>\n",
  "fs/ext9/Makefile":
    "obj-$(CONFIG_EXT9) += ext9.o\next9-y := super.o deep/inner.o\next9-$(CONFIG_ACL) += acl.o\n",
  "fs/ext9/super.c": '#include "ext9.h"\n',
  "fs/ext9/deep/inner.c": "",
  "fs/ext9/acl.c": '#include "ext9.h"\n',
  "fs/ext9/ext9.h": "#include <linux/both.h>\n",
  "fs/none/Makefile": "obj-y += n.o\n",
  "fs/none/n.c": '#include "ext9.h"\n#include <linux/both.h>\n',
  "fs/none/ext9.h": "",
  "include/linux/both.h": "",
  "include/linux/deep.h": "",
  "include/linux/nobody.h": "",
  "include/linux/kconfig.h": "#include <linux/options.h>\n",
  "include/linux/options.h": "",
  "include/asm-generic/wrapped.h": "",
  "arch/x86/lib/x.c": "#include <asm/wrapped.h>\n",
  "arch/x86/lib/Makefile": "obj-y += x.o\n",
  "arch/arm/kernel/setup.c": "#include <linux/both.h>\n",
} as const;
const BUILD = {
  ".config": "CONFIG_EXT9=m\n# CONFIG_ACL is not set\n",
  "include/config/auto.conf": "CONFIG_EXT9=m\n",
  "arch/x86/include/generated/asm/wrapped.h": "#include <asm-generic/wrapped.h>\n",
} as const;

let top: string;
let work: Work;
let profile: KernelProfile;

beforeEach(async () => {
  top = await realpath(await mkdtemp(join(tmpdir(), "units-")));
  for (const [folder, files] of [
    ["source", TREE],
    ["build", BUILD],
  ] as const)
    for (const [path, text] of Object.entries(files)) await put(`${folder}/${path}`, text);
  work = { signal: new AbortController().signal, cache: join(top, "cache"), progress: () => undefined };
  profile = {
    schemaVersion: 1,
    id: "tree:/test",
    arch: "x86_64",
    release: "6.1.0-test",
    image: "",
    config: "",
    moduleSymvers: "",
    source: join(top, "source"),
    build: join(top, "build"),
    modules: "",
    symbolTable: "",
    busybox: "",
    compiler: { command: "gcc", version: "", builtWith: "" },
    makeVariables: {},
    configDrift: [],
    origin: "",
  };
});

afterEach(() => rm(top, { recursive: true }));

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(top, path)), { recursive: true });
  await writeFile(join(top, path), text);
}

async function affected(...paths: string[]) {
  // What changes cannot be told by name.
  const content = { before: Buffer.from(""), after: Buffer.from("#pragma pack(1)\n") };
  const found = await affectedUnits(
    work,
    profile,
    paths.map((path) => ({ path, ...content })),
  );
  return { units: found.units, rules: found.observations.map(({ rule, file }) => `${rule} ${file}`) };
}

test("a file that is compiled by itself", async () => {
  expect(await affected("fs/ext9/super.c")).toEqual({ units: ["fs/ext9/super.c"], rules: [] });
});

test("a file that the makefile of a folder above lists", async () => {
  expect(await affected("fs/ext9/deep/inner.c")).toEqual({ units: ["fs/ext9/deep/inner.c"], rules: [] });
});

test("a file that another one includes is compiled as part of it", async () => {
  expect(await affected("fs/parts/part.c")).toEqual({ units: ["fs/a.c"], rules: [] });
});

test("a header reaches units over other headers and included files", async () => {
  expect((await affected("include/linux/deep.h")).units).toEqual(["fs/a.c"]);
  expect((await affected("include/linux/both.h")).units).toEqual(["fs/a.c", "fs/ext9/super.c"]);
});

test("a header is included by way of a macro", async () => {
  await put("source/fs/a.c", '#define PART "parts/part.c"\n#include PART\n');
  expect((await affected("include/linux/deep.h")).units).toEqual(["fs/a.c"]);
});

test("headers of one name are told apart by folder", async () => {
  expect((await affected("fs/ext9/ext9.h")).units).toEqual(["fs/ext9/super.c"]);
});

test("a generic header is reached through the build's own wrapper", async () => {
  expect((await affected("include/asm-generic/wrapped.h")).units).toEqual(["arch/x86/lib/x.c"]);
});

test("a header that every unit gets is refused", async () => {
  const { units, rules } = await affected("include/linux/options.h");
  expect([units, rules]).toEqual([[], ["header-fan-out include/linux/options.h"]]);
});

/** Many units that include `fs/many/many.h`, and more files. */
async function manyUnits(more: Record<string, string> = {}): Promise<void> {
  const names = Array.from({ length: 70 }, (_, index) => `u${index}`);
  for (const name of names) await put(`source/fs/many/${name}.c`, '#include "many.h"\n');
  await put("source/fs/many/many.h", "");
  const units = [
    ...names,
    ...Object.keys(more).flatMap((path) => /^fs\/many\/(\w+)\.c$/.exec(path)?.[1] ?? []),
  ];
  await put("source/fs/many/Makefile", `obj-y += ${units.map((name) => `${name}.o`).join(" ")}\n`);
  await put("source/fs/Makefile", "obj-y += many/ a.o ext9/\n");
  for (const [path, text] of Object.entries(more))
    await put(`source/${path}`, path.endsWith(".c") ? `#include "many.h"\n${text}` : text);
}

async function changing(before: string, after: string) {
  const change = { path: "fs/many/many.h", before: Buffer.from(before), after: Buffer.from(after) };
  const { units, types, observations } = await affectedUnits(work, profile, [change]);
  return { units, types: [...types.keys()], messages: observations.map(({ message }) => message) };
}

test("a header with more units than the limit is refused with their number and the reason", async () => {
  await manyUnits();
  const { units, messages } = await changing("", "#pragma pack(1)\n");
  expect(units).toEqual([]);
  expect(messages).toEqual([
    expect.stringMatching(/included by 70 units, the limit is 64 .*'#pragma pack \( 1 \)' comes or goes/),
  ]);
});

test("of a header that many include, units count that name what changes in it", async () => {
  await manyUnits({
    "fs/many/user.c": "int f(void) { return LIMIT; }\n",
    "fs/many/other.c": "int LIMITS, NO_LIMIT;\n",
    "include/linux/part.h":
      "static inline int piece(void)\n{\n\treturn LIMIT;\n}\n#define WHOLE (piece() + 1)\n",
    "fs/many/whole.c": "int g(void) { return WHOLE; }\n",
    "fs/many/pasted.c": "int h(void) { return FIND(MIT); }\n",
    "include/linux/paste.h": "#define FIND(x) \\\n\tLI##x\n",
    "fs/many/traced.c": "#include <linux/traced.h>\n",
    "include/linux/traced.h": "TRACE_EVENT(x, LIMIT);\n",
  });
  expect(await changing("#define LIMIT 1\n", "#define LIMIT 2\n")).toEqual({
    units: ["fs/many/pasted.c", "fs/many/traced.c", "fs/many/user.c", "fs/many/whole.c"],
    types: [],
    messages: [],
  });
});

test("a change that nobody who was there before can name reaches no unit", async () => {
  await manyUnits({ "fs/many/user.c": "int f(int b) { return b; }\n" });
  const { units, messages } = await changing("", "struct b { int b; };\nint fresh(void);\n#define NEW 1\n");
  expect([units, messages]).toEqual([[], []]);
});

test("a type that changes is to be proven", async () => {
  await manyUnits({ "fs/many/user.c": "int f(struct a *a) { return a->second; }\n" });
  const { units, types } = await changing(
    "struct a { int b, second; };\n",
    "struct a { int b; unsigned second; };\n",
  );
  expect([units, types]).toEqual([["fs/many/user.c"], ["struct a"]]);
});

/** How units notice a change of `#define LIMIT`, with the header beside them that lets them. */
const NOTICED: Record<string, { unit: string; header?: string }> = {
  "in the condition of a unit": { unit: "#ifdef LIMIT\n#endif\n" },
  "by IS_ENABLED": { unit: "int f(void) { return IS_ENABLED(LIMIT); }\n" },
  "as a string": { unit: "const char *f(void) { return __stringify(LIMIT); }\n" },
  "in the condition of a header": {
    header: "#if LIMIT > 1\nint quite_else(void);\n#endif\n",
    unit: "#include <linux/way.h>\n",
  },
  "in the condition inside of a type": {
    header: "struct s {\n#if LIMIT > 1\n\tint a;\n#endif\n\tint b;\n};\n",
    unit: "#include <linux/way.h>\n",
  },
  "as the length of an array in a type": {
    header: "struct s { int a[LIMIT]; };\n",
    unit: "#include <linux/way.h>\n",
  },
  "through a type's size": {
    header: "static const int t[] = { LIMIT };\nstruct s { int a[ARRAY_SIZE(t)]; };\n",
    unit: "#include <linux/way.h>\n",
  },
  "through inline functions": {
    header:
      "static inline int f(void) { return LIMIT; }\nstatic inline int g(void) { return f(); }\n#define whole() g()\n",
    unit: "int user(void) { return whole(); }\n",
  },
  "through a macro that makes functions": {
    header: "#define make(x) static inline int get_##x(void) { return LIMIT; }\nmake(one);\n",
    unit: "#include <linux/way.h>\nint user(void) { return get_one(); }\n",
  },
  "as entries of a table, which are included": {
    header: "ENTRY(LIMIT),\n",
    unit: "int t[] = {\n#include <linux/way.h>\n};\n",
  },
  "through a header that a macro names": {
    header: "struct s { int a[LIMIT]; };\n",
    unit: "#define WAY <linux/way.h>\n#include WAY\n",
  },
  "pasted by a macro that adds nothing": {
    header: "#define PASTE(a, b) a##b\n",
    unit: "int f(void) { return PASTE(LI, MIT); }\n",
  },
  "pasted by two macros": {
    header: "#define OUTER(x) INNER(_##x)\n#define INNER(x) L##x\n#define L_IMIT LIMIT\n",
    unit: "int f(void) { return OUTER(IMIT); }\n",
  },
};

test.each(Object.entries(NOTICED))("a changed macro is noticed: %s", async (_, { unit, header = "" }) => {
  await manyUnits({ "fs/many/user.c": unit, "include/linux/way.h": header });
  expect((await changing("#define LIMIT 1\n", "#define LIMIT 2\n")).units).toEqual(["fs/many/user.c"]);
});

test("what assembly, or a header made for it, takes from a header is told", async () => {
  await manyUnits({
    "fs/many/user.c": "int f(void) { return LIMIT; }\n",
    "arch/x86/entry/entry.S": '#include "many.h"\n\tmov $LIMIT, %eax\n',
    "arch/x86/entry/other.S": '#include "many.h"\n\tcall f\n',
    "arch/x86/kernel/asm-offsets.c": '#include "many.h"\nDEFINE(SIZE, LIMIT);\n',
  });
  const { units, messages } = await changing("#define LIMIT 1\n", "#define LIMIT 2\n");
  expect(units).toEqual(["fs/many/user.c"]);
  expect(messages).toEqual([
    "fs/many/many.h is also part of other code: arch/x86/entry/entry.S is assembly; only functions compiled from C can be replaced (and 1 more)",
  ]);
});

test("a header that too many units name is refused", async () => {
  const more = Array.from({ length: 70 }, (_, at) => [`fs/many/v${at}.c`, "int f(void) { return LIMIT; }\n"]);
  await manyUnits(Object.fromEntries(more));
  const { messages } = await changing("#define LIMIT 1\n", "#define LIMIT 2\n");
  expect(messages).toEqual([expect.stringMatching(/70 units may use 'LIMIT'/)]);
});

test("members of a library archive are pointed out", async () => {
  expect(await affected("fs/l.c")).toEqual({ units: ["fs/l.c"], rules: ["library-archive-object fs/l.c"] });
});

test("what the configuration leaves out is no unit, and the option that is off is named", async () => {
  expect(
    (await affected("fs/ext9/acl.c", "fs/none/n.c", "fs/alone.c", "include/linux/nobody.h")).units,
  ).toEqual([]);
  expect((await notBuilt(profile, "fs/ext9/acl.c")).message).toMatch(/CONFIG_ACL is off/);
  expect((await notBuilt(profile, "fs/none/n.c")).message).toMatch(/CONFIG_NONE is off/);
  expect((await notBuilt(profile, "fs/alone.c")).message).toMatch(/no unit of this kernel is made of it/);
});

test("new and removed C files are refused in words", async () => {
  const content = Buffer.from("");
  const { observations } = await affectedUnits(work, profile, [
    { path: "fs/new.c", after: content },
    { path: "fs/a.c", before: content },
  ]);
  expect(observations.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^fs\/new\.c is a new file, which no makefile/),
    expect.stringMatching(/^fs\/a\.c is removed, but its code stays/),
  ]);
});
