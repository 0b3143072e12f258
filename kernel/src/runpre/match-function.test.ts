import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Machine, SectionFlag } from "../elf/format.js";
import type { ElfObject } from "../elf/object.js";
import { readElf } from "../elf/read.js";
import { type KernelSymbol, parseKallsyms, type SymbolTable } from "../module/kernel-symbols.js";
import { architectureOf } from "../objdiff/architecture.js";
import type { Arch } from "../profile/profile.js";
import type { KernelCode } from "./kernel-code.js";
import { unpackedKernel } from "./linked-kernel.js";
import { type Match, matchFunction, openUnit } from "./match-function.js";
import { moduleCode } from "./module-code.js";

/** Units compiled, linked into small kernels and modules by the real tools, and held against each other. */
const folder = mkdtempSync(join(tmpdir(), "hotpatch-run-pre-"));
afterAll(() => rmSync(folder, { recursive: true }));

const COMMON = ["-O2", "-fno-pic", "-fno-common", "-fno-asynchronous-unwind-tables", "-fno-stack-protector"];
const TOOLS = {
  x86_64: {
    prefix: "",
    flags: [
      ...COMMON,
      "-mcmodel=kernel",
      "-mno-sse",
      "-pg",
      "-mfentry",
      "-mrecord-mcount",
      "-fcf-protection=none",
    ],
    base: 0xffffffff81000000n,
  },
  arm64: {
    prefix: "aarch64-linux-gnu-",
    flags: [...COMMON, "-mgeneral-regs-only", "-fpatchable-function-entry=2"],
    base: 0xffff800008000000n,
  },
} as const;
const ARCHS: readonly Arch[] = ["x86_64", "arm64"];

/** What the unit takes from elsewhere; the first function keeps the unit from beginning where its section does. */
const REST = `
int before(int a) { return a * 3; }
int counter, other_counter, init_task;
void hold(const char *text) { (void)text; }
void keep(const char *text) { (void)text; }
void __fentry__(void) {}
int fallback(int a) { return a - 7; }
static const char text[] = "somebody else's";
const char *name(void) { return text; }
`;
const PRELUDE = `
extern int counter, other_counter;
extern void hold(const char *), keep(const char *);
#define noinline __attribute__((noinline))
`;

let files = 0;
function compile(arch: Arch, source: string, ...flags: string[]): string {
  const path = join(folder, `${files++}`);
  writeFileSync(`${path}.c`, source);
  const { prefix, flags: own } = TOOLS[arch];
  execFileSync(`${prefix}gcc`, [...own, ...flags, "-c", "-o", `${path}.o`, `${path}.c`]);
  return `${path}.o`;
}

function tool(arch: Arch, program: string, ...args: string[]): string {
  return execFileSync(`${TOOLS[arch].prefix}${program}`, args, {
    encoding: "latin1",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** The header of an arm64 Image (Documentation/arm64/booting.rst): its size at 16, the magic at 56. */
const IMAGE_HEADER = `asm(".section .head.text,\\"ax\\"\\n.globl _text\\n_text: .quad 0, 0, _end - _text, 0, 0, 0, 0\\n.long 0x644d5241, 0\\n.previous");`;

/** A kernel of these objects in the form that its architecture has unpacked. */
async function kernel(arch: Arch, objects: readonly string[], ...linker: string[]): Promise<KernelCode> {
  const path = join(folder, `${files++}`);
  const head = compile(arch, IMAGE_HEADER);
  writeFileSync(
    `${path}.lds`,
    `SECTIONS { . = ${TOOLS[arch].base}; .head.text : { *(.head.text) } . = ALIGN(65536); _stext = .;
      .text : { *(.text .text.unlikely) } .rodata : { *(.rodata .rodata.*) } .data : { *(.data .data.*) }
      __jump_table : { *(__jump_table) } .bss : { *(.bss) } _end = .; }`,
  );
  tool(arch, "ld", "-T", `${path}.lds`, "-z", "noexecstack", ...linker, "-o", path, head, ...objects);
  writeFileSync(`${path}.kallsyms`, kallsyms(tool(arch, "nm", "-n", path)));
  if (arch === "arm64") tool(arch, "objcopy", "-O", "binary", path, `${path}.image`);
  const table = parseKallsyms(readFileSync(`${path}.kallsyms`, "latin1"));
  const code = await unpackedKernel(arch === "arm64" ? `${path}.image` : path, table, `${path}.kallsyms`);
  if (!code) throw new Error("the linked kernel is not recognised");
  return code;
}

function kallsyms(symbols: string): string {
  return symbols.replaceAll(/^.* \$.*\n/gm, "");
}

/** A module of these objects, as `ld -r` leaves it. */
function modul(arch: Arch, objects: readonly string[]): KernelCode {
  const path = join(folder, `${files++}.ko`);
  tool(arch, "ld", "-r", "-o", path, ...objects);
  const object = readElf(readFileSync(path));
  return moduleCode("example", object, tableOf(object));
}

function tableOf({ symbols }: ElfObject): SymbolTable {
  const table = new Map<string, KernelSymbol[]>();
  for (const { name, section, value, binding } of symbols) {
    if (typeof section !== "object" || (section.flags & SectionFlag.ALLOC) === 0) continue;
    table.set(name, [
      ...(table.get(name) ?? []),
      { local: binding === 0, address: value, place: section.name },
    ]);
  }
  return table;
}

function match(pre: string, code: KernelCode, name: string, which = 0): Match {
  const object = readElf(readFileSync(pre));
  const architecture = architectureOf(object);
  const place = code.symbols(name)[which]?.place;
  if (!architecture || !place) throw new Error(`no '${name}' in ${code.name}`);
  return matchFunction(openUnit(object, architecture, code), name, place);
}

interface Pair {
  readonly what: string;
  readonly compiled: string;
  /** What the kernel was built from; the same when absent. */
  readonly running?: string;
  readonly arch?: Arch;
  readonly outcome: Match["outcome"];
  readonly reason?: RegExp;
  /** Of the compiler, for the kernel alone. */
  readonly flags?: readonly string[];
  /** Why a module has nothing of it, or has it in another form. */
  readonly onlyLinked?: true;
}

const BUSY = `
static int state = 4, unused; static int zeroed;
static noinline int step(int a) { return a + zeroed++; }
static noinline __attribute__((cold)) void complain(int a) { hold("complain"); state = a; keep("twice"); }
int f(int a) {
  static int calls;
  if (__builtin_expect(a > 40, 0)) { complain(a); return -22; }
  counter += calls++;
  hold("some text"); keep("some other text");
  return step(a) + state + (long)&unused;
}`;

const LABEL = (instruction: string, entry = true) => `
struct key { int n; } key;
int f(int a) {
  asm goto("1: ${instruction}\\n"
    ${entry ? `".pushsection __jump_table, \\"aw\\"; .balign 8; .long 1b - ., %l[l] - .; .quad %c0 - .; .popsection"` : '""'}
    : : "i"(&key) : : l);
  counter++;
  return a;
l: other_counter++;
  return a + 1;
}`;
const JUMP = ".byte 0xe9; .long %l[l] - (1b + 5)";
const SHORT_JUMP = ".byte 0xeb; .byte %l[l] - (1b + 2)";

const PAIRS: readonly Pair[] = [
  {
    what: "the same function, with strings, statics, calls and a part out of the way",
    compiled: BUSY,
    outcome: "matched",
  },
  {
    what: "another constant",
    compiled: "int f(int a) { return a ^ 0x1234; }",
    running: "int f(int a) { return a ^ 0x1235; }",
    outcome: "mismatch",
    reason: /^its byte at \+0x[0-9a-f]+ is 0x/,
  },
  {
    what: "a call of another function",
    compiled: 'void f(void) { hold("a"); counter++; }',
    running: 'void f(void) { keep("a"); counter++; }',
    outcome: "mismatch",
    reason: /a reference to 'hold' leads to keep\+0x0/,
  },
  {
    what: "another variable",
    compiled: "void f(void) { counter = 5; }",
    running: "void f(void) { other_counter = 5; }",
    outcome: "mismatch",
    reason: /a reference to 'counter' leads to other_counter\+0x0/,
  },
  {
    what: "another static variable of the same file",
    compiled: "static int a, b; int f(void) { return a++; } int g(void) { return b++; }",
    running: "static int a, b; int f(void) { return b++; } int g(void) { return a++; }",
    outcome: "mismatch",
    reason: /a reference to 'a' leads to b\+0x0/,
  },
  {
    what: "a variable of its own that is another file's in the kernel",
    compiled: "static int own; int f(void) { return own++; }",
    running: "int f(void) { return counter++; }",
    outcome: "unknown",
    reason: /where its reference to 'own' .*leads cannot be told/,
  },
  {
    what: "one of several static variables with one name",
    compiled:
      "static int f_state; int f(void) { static int n; return f_state + n++; } int g(void) { static int n; return n++; }",
    outcome: "matched",
  },
  {
    what: "another string",
    compiled: 'void f(void) { hold("one thing"); }',
    running: 'void f(void) { hold("two thing"); }',
    outcome: "mismatch",
    reason: /the string "one thing" leads to something else/,
  },
  {
    what: "a string that the linker lets begin within another one",
    compiled: 'void f(void) { hold("thing"); }',
    running: 'void f(void) { hold("thing"); } void g(void) { keep("some thing"); }',
    outcome: "matched",
  },
  {
    what: "another part out of the way",
    compiled: BUSY,
    running: BUSY.replace("return -22", "return -23"),
    outcome: "mismatch",
  },
  {
    what: "a function that the compiled file has only inlined",
    compiled:
      "static inline __attribute__((always_inline)) int f(int a) { return a + 1; } int g(int a) { return f(a); }",
    running: "noinline int f(int a) { return a + 1; }",
    outcome: "unknown",
    reason: /no such function/,
  },
  {
    what: "a jump label that objtool made a no-operation",
    arch: "x86_64",
    compiled: LABEL(JUMP),
    running: LABEL(".byte 0x0f, 0x1f, 0x44, 0, 0"),
    outcome: "matched",
  },
  {
    what: "a short one",
    arch: "x86_64",
    compiled: LABEL(SHORT_JUMP),
    running: LABEL(".byte 0x66, 0x90"),
    outcome: "matched",
  },
  {
    what: "a jump that no table lists",
    arch: "x86_64",
    compiled: LABEL(JUMP, false),
    running: LABEL(".byte 0x0f, 0x1f, 0x44, 0, 0", false),
    outcome: "mismatch",
    reason: /^its byte/,
  },
  {
    what: "something else than a no-operation at a jump label",
    arch: "x86_64",
    compiled: LABEL(JUMP),
    running: LABEL(".byte 0x0f, 0x1f, 0x44, 0, 1"),
    outcome: "mismatch",
  },
  {
    what: "a call of __fentry__ that is a no-operation in the kernel",
    arch: "x86_64",
    compiled: BUSY,
    flags: ["-mnop-mcount"],
    outcome: "matched",
  },
  {
    what: "a store behind its address, with an immediate operand",
    arch: "x86_64",
    compiled:
      'const char *volatile p; static char line[8] = "abc"; void f(void) { line[1] = 7; p = "tail" + 1; }',
    outcome: "matched",
  },
  {
    what: "another definition of a weak function",
    compiled:
      "__attribute__((weak)) int fallback(int a) { return a - 8; } int f(int a) { return fallback(a) + 1; }",
    outcome: "matched",
    onlyLinked: true,
  },
];

describe.each(ARCHS)("%s", (arch) => {
  const pairs = PAIRS.filter((pair) => (pair.arch ?? arch) === arch);
  test.each(pairs)("vmlinux: $what: $outcome", async ({ compiled, running, flags, ...expected }) => {
    const objects = [compile(arch, REST), compile(arch, PRELUDE + (running ?? compiled), ...(flags ?? []))];
    const found = match(compile(arch, PRELUDE + compiled), await kernel(arch, objects), "f");
    expect(found).toMatchObject({ outcome: expected.outcome });
    if (expected.reason && found.outcome !== "matched") expect(found.reason).toMatch(expected.reason);
  });

  const shipped = pairs.filter(({ onlyLinked }) => !onlyLinked);
  test.each(shipped)("module: $what: $outcome", ({ compiled, running, flags, outcome }) => {
    const objects = [compile(arch, REST), compile(arch, PRELUDE + (running ?? compiled), ...(flags ?? []))];
    expect(match(compile(arch, PRELUDE + compiled), modul(arch, objects), "f")).toMatchObject({
      outcome,
    });
  });

  test("of two functions with one name, the other file's is not taken for ours", async () => {
    const source = (extra: string) =>
      `${PRELUDE}${extra} static noinline __attribute__((used)) int f(int a) { return a + 1; } int`;
    const ours = compile(
      arch,
      `${source("int one(int a) { return a * 5; }")} two(int a) { return f(a) * 7; }`,
    );
    const others = compile(arch, `${source("")} three(int a) { return f(a) * 9; }`);
    const code = await kernel(arch, [compile(arch, REST), ours, others]);
    expect(match(ours, code, "f", 0)).toMatchObject({ outcome: "matched" });
    expect(match(ours, code, "f", 1)).toMatchObject({
      outcome: "unknown",
      reason: expect.stringMatching(/the other functions of its file/),
    });
  });

  test("a weak function that another definition replaces is not the one that runs", async () => {
    const ours = compile(
      arch,
      "__attribute__((weak)) int fallback(int a) { return a - 7; } int g(int a) { return a; }",
    );
    const code = await kernel(arch, [compile(arch, REST), ours]);
    expect(match(ours, code, "fallback")).toMatchObject({
      outcome: "mismatch",
      reason: expect.stringMatching(/^it is weak/),
    });
  });

  test("one byte that differs anywhere outside of the relocated fields is found", async () => {
    const pre = compile(arch, PRELUDE + BUSY);
    const code = await kernel(arch, [compile(arch, REST), pre]);
    const [f] = code.symbols("f");
    const size = readElf(readFileSync(pre)).symbols.find(({ name }) => name === "f")?.size ?? 0;
    let missed = 0;
    for (let at = 0; at < size; at++) {
      const changed: KernelCode = {
        ...code,
        bytes(place, length) {
          const bytes = code.bytes(place, length)?.slice();
          const index = (f?.place.offset ?? 0) + at - place.offset;
          if (bytes && index >= 0 && index < length) bytes[index] = (bytes[index] ?? 0) ^ 0x20;
          return bytes;
        },
      };
      if (match(pre, changed, "f").outcome === "matched") missed++;
    }
    // What is left are fields, whose values the kernel's own functions answer for below.
    const fields = readElf(readFileSync(pre)).sections.flatMap(({ name, relocations }) =>
      name === ".text" ? relocations : [],
    );
    expect(missed).toBeLessThanOrEqual(fields.length * 4);
    expect(size - missed).toBeGreaterThan(20);
  });
});

describe("arm64", () => {
  /** ADRP in one of the last two words of a page, a load, and a load that uses the page (erratum 843419). */
  const SEQUENCE = `
    asm(".text\\n.balign 4096\\n.skip 4088 - 16\\n.globl f\\n.type f, %function\\nf: nop\\nnop\\nnop\\nnop\\n"
      "adrp x0, counter\\nldr x1, [x1]\\nldr w0, [x0, :lo12:counter]\\nret\\n.size f, . - f\\n");`;
  test.each(["adr", "adrp", "full"])(
    "what the linker does against an erratum (%s) is no difference",
    async (how) => {
      const pre = compile("arm64", SEQUENCE);
      const objects = [compile("arm64", REST), pre];
      const plain = await kernel("arm64", objects);
      const fixed = await kernel("arm64", objects, `--fix-cortex-a53-843419=${how}`);
      const bytes = (code: KernelCode) =>
        code.bytes(code.symbols("f")[0]?.place ?? { base: "", offset: 0 }, 32);
      expect(bytes(fixed), "the linker did something").not.toEqual(bytes(plain));
      expect(match(pre, fixed, "f")).toEqual({ outcome: "matched" });
      const another = compile("arm64", SEQUENCE.replace("ldr w0", "ldr x0"));
      expect(match(another, fixed, "f").outcome).toBe("mismatch");
    },
  );

  test("both halves of an address are held against the symbol", async () => {
    const pre = compile("arm64", `${PRELUDE} int f(void) { return counter; }`);
    const running = compile("arm64", "extern int after; int f(void) { return after; }");
    const code = await kernel("arm64", [compile("arm64", `${REST} int after;`), running]);
    expect(match(pre, code, "f")).toMatchObject({
      outcome: "mismatch",
      reason: expect.stringMatching(/'counter' leads to after/),
    });
  });
});

test("machines are those of the tables", () => {
  for (const machine of [Machine.X86_64, Machine.AARCH64])
    expect(architectureOf({ machine, littleEndian: true })).toBeDefined();
});
