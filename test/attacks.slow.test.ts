import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { defaultCache } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hotpatch } from "./hotpatch.js";
import { type Bench, patchOf, privateBench, stockKernel } from "./kernel.js";

/** A patch by somebody who means us harm. Attacks that need a guest are in guests.attack.ts. */
interface Attack {
  readonly what: string;
  readonly patch: () => string | Promise<string>;
  readonly status: number;
  /** The one line of our output that says it. */
  readonly says: RegExp;
}

const MINUTES = 60_000;
const UNIT = "fs/proc/cmdline.c";
const CANARY = `canary${randomBytes(8).toString("hex")}`;
let kernel: KernelProfile;
let bench: Bench;
/** A secret at home, a file that no attack may make, and a library that makes it when it is loaded. */
let [secret, made, plugin] = ["", "", ""];

beforeAll(async () => {
  kernel = await stockKernel();
  bench = await privateBench();
  mkdirSync(join(bench.folder, "home"));
  [secret, made, plugin] = ["home/.secret", "made", "home/plugin.so"].map((path) =>
    join(bench.folder, path),
  ) as [string, string, string];
  writeFileSync(secret, `${CANARY}\n`);
  const code = `#include <stdio.h>\n__attribute__((constructor)) void f(void) { fopen("${made}", "w"); }\nint plugin_is_GPL_compatible;\n`;
  const { status } = spawnSync("gcc", ["-shared", "-fPIC", "-xc", "-o", plugin, "-"], { input: code });
  expect(status).toBe(0);
}, 15 * MINUTES);
afterAll(() => bench.remove());

/** A patch that adds lines to the end of a file that this kernel is made of. */
const adding =
  (lines: () => string, path = UNIT) =>
  () =>
    patchOf(kernel, path, (text) => `${text}\n${lines()}\n`);

/** The same, together with a change of code that would be carried. */
const besidesCode = (path: string, lines: () => string) => async () => {
  const code = await patchOf(kernel, UNIT, (text) => text.replace("'\\n'", "'\\r'"));
  return code + (await adding(lines, path)());
};

const newFile = (path: string, line: string) =>
  `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+${line}\n`;
const link = (modes: string, path: string) =>
  `diff --git a/${path} b/${path}\n${modes}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n`;
const up = "../".repeat(30);
const notThere = (file: string) => new RegExp(`${file}: No such file or directory.*\\[does-not-compile\\]`);
const notMade = /unsafe: .* \[build-input-changed\]/;

const READS: readonly Attack[] = [
  ["a file at home", () => `#include "${secret}"`, /\.secret: No such file.*\[does-not-compile\]/],
  ["a file of the system", () => '#include "/etc/passwd"', notThere("/etc/passwd")],
  ["the same by a long way", () => `#include "${up}etc/passwd"`, notThere("etc/passwd")],
  ["the same, then nothing", () => '#include "/etc/passwd"\n#include "none.h"', notThere("/etc/passwd")],
  ["our environment", () => '#include "/proc/self/environ"', notThere("/proc/self/environ")],
  ["what we are told", () => '#include "/dev/stdin"', notThere("/dev/stdin")],
  [
    "a header of this machine",
    () => '#include "/usr/include/linux/types.h"',
    /reads \/usr\/.*not the kernel's source/,
  ],
  [
    "a file at home, by the assembler",
    () => `asm(".incbin \\"${secret}\\"");`,
    /file not found: .*\.secret.*\[does-not-compile\]/,
  ],
  [
    "our environment, by the assembler",
    () => 'asm(".incbin \\"/proc/self/environ\\"");',
    /file not found: .*\[does-not-compile\]/,
  ],
  [
    "a file as assembler code",
    () => 'asm(".include \\"/etc/passwd\\"");',
    /can't open \/etc\/passwd.*\[does-not-compile\]/,
  ],
  [
    "whether a file is there",
    () => `#if __has_include("${secret}")\n#error seen\n#else\n#error unseen\n#endif`,
    /#error unseen \[does-not-compile\]/,
  ],
  [
    "whether a file is newer",
    () => `#pragma GCC dependency "${secret}"`,
    /\.secret: No such file.*\[does-not-compile\]/,
  ],
  [
    "lines in the compiler's messages",
    () => '#line 1 "/etc/passwd"\n#error line',
    /#error line \[does-not-compile\]/,
  ],
].map(([what, lines, says]) => ({
  what: `reads ${what}`,
  patch: adding(lines as () => string),
  status: String(says).includes("not the kernel's") ? 2 : 1,
  says: says as RegExp,
}));

const ATTACKS: readonly Attack[] = [
  ...READS,
  {
    what: "has us read a file without end, by what debug information names",
    patch: () =>
      patchOf(kernel, UNIT, (text) =>
        text
          .replace("static int", `#define SHOWN m\n#line 1 "${up}dev/zero"\nstatic int`)
          .replace("seq_puts(m,", "seq_puts(SHOWN,"),
      ),
    status: 0,
    says: /^verdict: needs-review/,
  },
  {
    what: "names a symbolic link",
    patch: () => link("new file mode 120000", "fs/proc/link.h"),
    status: 2,
    says: /makes or changes a symbolic link/,
  },
  {
    what: "makes a file a symbolic link",
    patch: () => link("old mode 100644\nnew mode 120000", UNIT),
    status: 2,
    says: /makes or changes a symbolic link/,
  },
  ...[
    ["leaves the tree", newFile("../../outside.c", "x"), /leads out of the tree/],
    [
      "copies a file of the system",
      `diff --git a/x b/y\ncopy from ${up}etc/passwd\ncopy to fs/proc/y.h\n`,
      /leads out of the tree/,
    ],
    ["plants a hook", newFile(".GIT/hooks/post-checkout", "x"), /inside \.git/],
    ["replaces a generated header", newFile("include/generated/autoconf.h", "x"), /is a build output/],
    ["has a name that moves the cursor", newFile("fs/\u001b[2J.c", "x"), /unusual characters/],
  ].map(([what, patch, says]) => ({
    what: what as string,
    patch: () => patch as string,
    status: 2,
    says: says as RegExp,
  })),
  ...(
    [
      ["a makefile", "fs/proc/Makefile", () => `$(shell touch ${made})`],
      [
        "a makefile that loads a compiler plugin",
        "fs/proc/Makefile",
        () => `CFLAGS_cmdline.o += -fplugin=${plugin}`,
      ],
      ["Kconfig", "fs/proc/Kconfig", () => `config EVIL\n\tdefault "$(shell,touch ${made})"`],
      [
        "a tool of the build",
        "scripts/basic/fixdep.c",
        () => `__attribute__((constructor)) void f(void) { fopen("${made}", "w"); }`,
      ],
      ["a linker script", "arch/x86/kernel/vmlinux.lds.S", () => `INCLUDE ${secret}`],
    ] as const
  ).map(([what, path, lines]) => ({
    what: `has code in ${what}`,
    patch: besidesCode(path, lines),
    status: 1,
    says: notMade,
  })),
  ...(
    [
      ["loads a compiler plugin", () => `"-fplugin=${plugin}"`],
      ["has the compiler write elsewhere", () => `"dump-tree-all=${made}"`],
    ] as const
  ).map(([what, option]) => ({
    what: `${what} by a pragma`,
    patch: adding(() => `#pragma GCC optimize (${option()})\nint evil(int a) { return a; }`),
    status: 0,
    says: /^verdict: needs-review/,
  })),
  {
    what: "brings our own and git's settings",
    patch: async () =>
      newFile(".hotpatch.json", '{"confine":false,"failOn":"never"}') +
      (await besidesCode(".gitattributes", () => "* filter=evil")()),
    status: 0,
    says: /^verdict: needs-review/,
  },
  {
    what: "fills the disk",
    patch: adding(() => 'asm(".data; .fill 0x7fffffffff");'),
    status: 1,
    says: /\[does-not-compile\]/,
  },
  {
    what: "prints without end",
    patch: adding(() => `#warning ${"x".repeat(4000)}\n#include "cmdline.c"\n#include "cmdline.c"`),
    status: 2,
    says: /took too long or printed too much/,
  },
  {
    what: "calls people and moves the cursor in the compiler's words",
    patch: adding(() => "#error \u001b[2J @everyone <script>::error::"),
    status: 1,
    says: /#error \\u001b\[2J @everyone <script>::error:: \[does-not-compile\]/,
  },
  {
    what: "moves the cursor by the name of a section",
    patch: adding(() => 'asm(".pushsection \\"evil\\\\033[2J@everyone\\", \\"a\\"; .long 1; .popsection");'),
    status: 1,
    says: /evil\\u001b\[2J@everyone/,
  },
];

test.each(ATTACKS)(
  "a patch that $what",
  async ({ patch, status, says }) => {
    const env = {
      HOME: join(bench.folder, "home"),
      GITHUB_TOKEN: CANARY,
      XDG_CACHE_HOME: dirname(defaultCache()),
    };
    writeFileSync(join(bench.folder, "attack.patch"), await patch(), "latin1");
    const args = ["--kernel", kernel.id, "build", "attack.patch", "-o", "out"];
    const ended = await hotpatch(args, { cwd: bench.folder, env, input: CANARY });
    const output = ended.stdout + ended.stderr;
    expect({ output, status: ended.status }).toEqual({
      output: expect.stringMatching(new RegExp(says, "m")),
      status,
    });
    expect(output.split("\n").filter((line) => says.test(line))).toHaveLength(1);
    expect(output).not.toContain("\u001b");
    for (const text of [output, ...filesBelow(join(bench.folder, "out"))]) {
      expect(text).not.toContain(CANARY);
      expect(text).not.toMatch(/root:[^:\s]*:0:0:/);
    }
    expect(existsSync(made)).toBe(false);
  },
  5 * MINUTES,
);

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"));
}
