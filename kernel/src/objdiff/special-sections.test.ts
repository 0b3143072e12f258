import { expect, test } from "vitest";
import { openObject } from "./diff-objects.js";
import { COMPILERS, type Compiler, compile, diff, testPairs } from "./fixtures/pairs.js";

const X86: readonly Compiler[] = ["gcc x86_64", "clang x86_64"];
const ARM64: readonly Compiler[] = ["gcc arm64", "clang arm64"];

/** Puts an entry about the place where it stands into a section. */
const entry = (section: string, fields: string, flags = "a") =>
  `asm volatile("771: nop\\n772:\\n.pushsection ${section},\\"${flags}\\"\\n.balign 4\\n773: ${fields}\\n.popsection");`;
/** All sections whose entries are one word, or two, about the code. */
const SITES = [
  [".smp_locks", ".long 771b - ."],
  [".retpoline_sites", ".long 771b - ."],
  [".return_sites", ".long 771b - ."],
  [".call_sites", ".long 771b - ."],
  [".ibt_endbr_seal", ".long 771b - ."],
  [".cfi_sites", ".long 771b - ."],
  [".kcfi_traps", ".long 771b - ."],
  [".static_call_sites", ".long 771b - .\\n .long key - ."],
  ["__ex_table", ".long 771b - .\\n .long 772b - .\\n .long 7"],
  ["__jump_table", ".long 771b - .\\n .long 772b - .\\n .quad key - ."],
  [".discard.annotate_insn", ".long 771b - .\\n .long 3"],
] as const;

/** As DECLARE_PCI_FIXUP_FINAL (include/linux/pci.h): only a section, no symbol. */
const quirk = (hook: string) =>
  `asm(".pushsection .pci_fixup_final,\\"a\\"\\n.long 7, ${hook} - .\\n.popsection");`;
/** As BTF_ID_LIST_SINGLE (include/linux/btf_ids.h). */
const btfId = (list: string, count: number) =>
  `asm(".pushsection .BTF_ids,\\"a\\"\\n.local ${list}\\n${list}:\\n.local __BTF_ID__struct__sock__${count}11\\n.type __BTF_ID__struct__sock__${count}11, %object\\n__BTF_ID__struct__sock__${count}11: .zero 4\\n.popsection"); extern unsigned ${list}[];`;
const BTF_USERS =
  "const struct { unsigned *id; int (*g)(int); } first = { one, use }, second = { two, use };";

testPairs([
  ...SITES.map(([section, fields]) => ({
    what: `entries of ${section} come along with their function, and only they`,
    only: X86,
    before: `extern int key; int f(int a) { ${entry(section, fields)} return a; } int g(int a) { ${entry(section, fields)} return a + 1; }`,
    after: `extern int key; int f(int a) { ${entry(section, fields)} return a; } int g(int a) { ${entry(section, fields)} return a + 2; }`,
    outcome: "carried" as const,
    changed: ["g"],
  })),
  ...SITES.map(([section, fields]) => ({
    what: `an entry of ${section} that comes changes its function`,
    only: X86,
    before: `extern int key; int f(int a) { asm volatile("nop"); return a; } int g(int a) { ${entry(section, fields)} return a; }`,
    after: `extern int key; int f(int a) { ${entry(section, fields)} return a; } int g(int a) { ${entry(section, fields)} return a; }`,
    outcome: "carried" as const,
    changed: ["f"],
  })),
  {
    what: "the data of an exception",
    only: X86,
    before: `int f(int a) { ${entry("__ex_table", ".long 771b - .\\n .long 772b - .\\n .long 7")} return a; }`,
    after: `int f(int a) { ${entry("__ex_table", ".long 771b - .\\n .long 772b - .\\n .long 8")} return a; }`,
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "exceptions with a handler, as until 5.16",
    only: X86,
    before: `extern int handler; int f(int a) { ${entry("__ex_table", ".long 771b - .\\n .long 772b - .\\n .long handler - .")} return a; } int g(int a) { ${entry("__ex_table", ".long 771b - .\\n .long 772b - .\\n .long handler - .")} return a; }`,
    after: `extern int handler; int f(int a) { ${entry("__ex_table", ".long 771b - .\\n .long 772b - .\\n .long handler - .")} return a; } int g(int a) { ${entry("__ex_table", ".long 771b - .\\n .long 772b - .\\n .long handler - .")} return a + 1; }`,
    outcome: "carried",
    changed: ["g"],
    left: ["handler"],
  },
  {
    what: "code in .fixup belongs to the function that it goes back to",
    only: X86,
    before: `int f(int a) { asm volatile("1: mov (%0),%%eax\\n2:\\n.pushsection .fixup,\\"ax\\"\\n3: mov $1,%%eax\\n jmp 2b\\n.popsection\\n.pushsection __ex_table,\\"a\\"\\n.long 1b - .\\n.long 3b - .\\n.popsection" :: "r"(&a) : "eax"); return a; } int g(int a) { asm volatile("1: mov (%0),%%eax\\n2:\\n.pushsection .fixup,\\"ax\\"\\n3: mov $2,%%eax\\n jmp 2b\\n.popsection\\n.pushsection __ex_table,\\"a\\"\\n.long 1b - .\\n.long 3b - .\\n.popsection" :: "r"(&a) : "eax"); return a; }`,
    after: `int f(int a) { asm volatile("1: mov (%0),%%eax\\n2:\\n.pushsection .fixup,\\"ax\\"\\n3: mov $1,%%eax\\n jmp 2b\\n.popsection\\n.pushsection __ex_table,\\"a\\"\\n.long 1b - .\\n.long 3b - .\\n.popsection" :: "r"(&a) : "eax"); return a; } int g(int a) { asm volatile("1: mov (%0),%%eax\\n2:\\n.pushsection .fixup,\\"ax\\"\\n3: mov $3,%%eax\\n jmp 2b\\n.popsection\\n.pushsection __ex_table,\\"a\\"\\n.long 1b - .\\n.long 3b - .\\n.popsection" :: "r"(&a) : "eax"); return a; }`,
    outcome: "carried",
    changed: ["g"],
  },
  ...[X86, ARM64].map((only) => {
    const alternative = (instruction: string) =>
      `asm volatile("661: nop\\n662:\\n.pushsection .altinstructions,\\"a\\"\\n.long 661b - .\\n.long 663f - .\\n.word 7\\n.byte 662b-661b\\n.byte 664f-663f\\n.popsection\\n.pushsection .altinstr_replacement,\\"ax\\"\\n663: ${instruction}\\n664:\\n.popsection" ::: "memory");`;
    const instruction = only === X86 ? "movl $N, %%eax" : "mov w0, #N";
    const number = (value: number) => alternative(instruction.replace("N", String(value)));
    return {
      what: "another instruction that alternatives put in place",
      only,
      before: `int f(int a) { ${number(1)} return a; } int g(int a) { ${number(2)} return a; }`,
      after: `int f(int a) { ${number(1)} return a; } int g(int a) { ${number(3)} return a; }`,
      outcome: "carried" as const,
      changed: ["g"],
    };
  }),
  {
    what: "addresses for computed jumps",
    before:
      'int f(int a) { static const void *const in_section(".rodata..c_jump_table") t[] = { &&x, &&y }; goto *t[a]; x: use(&a); y: return a; }',
    after:
      'int f(int a) { static const void *const in_section(".rodata..c_jump_table") t[] = { &&x, &&y }; goto *t[a]; x: use(&a); use(0); y: return a; }',
    outcome: "carried",
    changed: ["f"],
    brought: ["t.0", "f.t"],
  },
  {
    what: "unwind tables are made anew by those who need them",
    options: ["-fasynchronous-unwind-tables"],
    before: "int f(int a) { use(&a); return a; }",
    after: "int f(int a) { use(&a); use(0); return a; }",
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "a namespace that is imported, and who wrote it",
    before:
      'static const char i1[] in_section(".modinfo") __attribute__((used)) = "author=A"; int f(int a) { return a; }',
    after:
      'static const char i1[] in_section(".modinfo") __attribute__((used)) = "author=B"; static const char i2[] in_section(".modinfo") __attribute__((used)) = "m.import_ns=DMA_BUF"; int f(int a) { return a + 1; }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "an alias by which the module is loaded",
    before: "int f(int a) { return a; }",
    after:
      'static const char i2[] in_section(".modinfo") __attribute__((used)) = "alias=pci:v1"; int f(int a) { return a + 1; }',
    outcome: "refused",
    changed: ["f"],
    refused: ["module-interface"],
    says: "alias=pci:v1",
  },
  {
    what: "an entry of a table that nobody here knows",
    before: "int f(int a) { return a; }",
    after:
      'int f(int a) { return a; } struct e { int (*f)(int); }; static const struct e e1 in_section(".pci_fixup_final") __attribute__((used)) = { f };',
    outcome: "refused",
    refused: ["unsupported-section"],
    says: "e1",
  },
  {
    what: "an entry of such a table that stays",
    before:
      'int f(int a) { return a; } struct e { int (*f)(int); }; static const struct e e1 in_section(".pci_fixup_final") __attribute__((used)) = { f };',
    after:
      'int f(int a) { return a + 1; } struct e { int (*f)(int); }; static const struct e e1 in_section(".pci_fixup_final") __attribute__((used)) = { f };',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "an entry without a name: said by what it refers to",
    only: X86,
    before: `int f(int a) { return a; } ${quirk("f")}`,
    after: `int f(int a) { return a; } int g(int a) { return a; } ${quirk("f")} ${quirk("g")}`,
    outcome: "refused",
    refused: ["unsupported-section"],
    new: ["g"],
    says: "'g' in .pci_fixup_final changed",
  },
  {
    what: "one more entry for a function that has some",
    only: X86,
    before: `int f(int a) { return a; } int g(int a) { return a; } ${quirk("f")} ${quirk("g")}`,
    after: `int f(int a) { return a; } int g(int a) { return a; } ${quirk("f")} ${quirk("g")} ${quirk("g")}`,
    outcome: "refused",
    refused: ["unsupported-section"],
    says: "'g' in .pci_fixup_final changed",
  },
  {
    what: "BTF numbers of one type keep their users, whatever the numbers in their names",
    before: `${btfId("one", 1)} ${btfId("two", 2)} int f(int a) { return a; } ${BTF_USERS}`,
    after: `${btfId("one", 2)} ${btfId("two", 3)} int f(int a) { return a + 1; } ${BTF_USERS}`,
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "BTF numbers of one type that change places are no change either: the number is the type's",
    before: `${btfId("one", 1)} ${btfId("two", 2)} int f(int a) { return a; } ${BTF_USERS}`,
    after: `${btfId("two", 2)} ${btfId("one", 3)} int f(int a) { return a + 1; } ${BTF_USERS}`,
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "a list of BTF numbers that grows",
    before: 'char in_section(".BTF_ids") ids[4]; int f(int a) { return a; }',
    after: 'char in_section(".BTF_ids") ids[8]; int f(int a) { return a; }',
    outcome: "refused",
    refused: ["unsupported-section"],
  },
]);

const TWO_ENTRIES = `
struct exception_table_entry { int insn, fixup, data; } *known;
int f(int a) { ${entry("__ex_table", ".long 771b - .\\n .long 772b - .\\n .long 7")} return a; }
int g(int a) { ${entry("__ex_table", ".long 771b - .\\n .long 772b - .\\n .long 7")} return a; }`;

test("entries that the kernel's own structure contradicts are refused", async () => {
  const command = COMPILERS["gcc x86_64"];
  const agreed = await diff(
    command,
    TWO_ENTRIES,
    TWO_ENTRIES.replace("return a; }\nint", "return a + 1; }\nint"),
  );
  expect(agreed.report).toMatchObject({ outcome: "carried", changed: ["f"], refusals: [] });
  const other = TWO_ENTRIES.replace("data;", "data, more;");
  const { report } = await diff(command, other, other.replace("return a; }\nint", "return a + 1; }\nint"));
  expect(report.refusals).toMatchObject([
    {
      rule: "unsupported-section",
      section: "__ex_table",
      message:
        "the entries of section __ex_table are 12 bytes apart, but struct exception_table_entry has 16",
    },
  ]);
});

test("entries of which no two look alike are refused", async () => {
  const source = `extern int key; int f(int a) { ${entry("__jump_table", ".long 771b - .\\n .long 772b - .\\n .quad 5")} return a; }`;
  const object = openObject(await compile(COMPILERS["gcc x86_64"], source), "a.o");
  expect(object.atomic.unreadable).toEqual(["__jump_table"]);
});

test("labels of tools on arm64 name nothing", async () => {
  const object = openObject(
    await compile(COMPILERS["gcc arm64"], "int f(int a) { return a; } int n = 1;"),
    "a.o",
  );
  expect(object.atomic.atoms.map(({ name }) => name).filter((name) => name !== "")).toEqual(["f", "n"]);
});
