import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ElfError, readElf } from "./read.js";
import { writeElf } from "./write.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-elf-"));
afterAll(() => rmSync(folder, { recursive: true }));

function compile(source: string, compiler = "gcc", options: readonly string[] = []): Uint8Array {
  const [c, o] = [join(folder, "a.c"), join(folder, "a.o")];
  writeFileSync(c, source);
  execFileSync(compiler, [
    ...["-O2", "-ffunction-sections", "-fdata-sections"],
    ...options,
    ...["-c", "-o", o, c],
  ]);
  return Uint8Array.from(readFileSync(o));
}

/** What readelf says of an object, without what is the writer's own affair: numbers, places and its own tables. */
function listing(bytes: Uint8Array, what: "header" | "sections" | "symbols" | "relocs"): string[] {
  const path = join(folder, "listed.o");
  writeFileSync(path, bytes);
  const text = execFileSync("readelf", ["-W", what === "header" ? "-h" : `--${what}`, path], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return text
    .split("\n")
    .filter(
      (line) => !/section headers|string table index|There are|\] \.(rela|symtab|strtab|shstrtab)/.test(line),
    )
    .map((line) =>
      line
        // Number, address and place before a section's size; link and info behind its flags.
        .replace(/^ *\[ *\d+\] (\S+ +\S+) +\S+ \S+(.*?) +\d+ +\d+ +(\d+)$/, "$1$2 $3")
        .replace(/^ +\d+: (.*?) +\d+ (\S+)$/, "$1 $2")
        .replace(/^([0-9a-f]{16}) +[0-9a-f]{16} /, "$1 ")
        .replace(/ at offset 0x\w+/, ""),
    )
    .sort();
}

const SMALL = `
extern int printk(const char *, ...);
static int count = 3;
static int zero[100];
int visible(int i) { count += i; return printk("value %d\\n", count) + zero[i]; }
`;

const COMPILERS = [
  ["gcc", ["-g", "-fpatchable-function-entry=2", "-fstack-protector"]],
  ["aarch64-linux-gnu-gcc", ["-g", "-fpatchable-function-entry=2"]],
  ["powerpc64le-linux-gnu-gcc", ["-g", "-fpatchable-function-entry=2"]],
  ["s390x-linux-gnu-gcc", ["-g", "-pg", "-mfentry", "-mrecord-mcount", "-mnop-mcount"]],
] as const;

describe.each(COMPILERS)("what %s writes", (compiler, options) => {
  const source = `${SMALL} static __thread int own; int *mine(void) { return &own; }`;

  test("reads back as the same graph after writing", () => {
    const first = readElf(compile(source, compiler, options));
    expect(readElf(writeElf(first))).toEqual(first);
  });

  test.each(["header", "sections", "symbols", "relocs"] as const)("keeps its %s for readelf", (what) => {
    const bytes = compile(source, compiler, options);
    expect(listing(writeElf(readElf(bytes)), what)).toEqual(listing(bytes, what));
  });
});

test("local entry points of ppc64le are in st_other", () => {
  const object = readElf(compile(SMALL, "powerpc64le-linux-gnu-gcc"));
  // Power Architecture 64-bit ELF V2 ABI, 3.4.1: the upper three bits; 3 stands for two instructions.
  expect((object.symbols.find(({ name }) => name === "visible")?.other ?? 0) >> 5).toBe(3);
  expect(object).toMatchObject({ flags: 2, littleEndian: true });
});

test("s390x is big endian", () => {
  const object = readElf(compile(SMALL, "s390x-linux-gnu-gcc"));
  const data = object.sections.find(({ name }) => name === ".data.count")?.data;
  expect([object.littleEndian, ...(data ?? [])]).toEqual([false, 0, 0, 0, 3]);
});

describe("readElf and writeElf", () => {
  test("a written object reads back as the same graph", () => {
    const first = readElf(compile(SMALL));
    const second = readElf(writeElf(first));
    expect(second).toEqual(first);
  });

  test("readelf accepts what is written", () => {
    const path = join(folder, "written.o");
    writeFileSync(path, writeElf(readElf(compile(SMALL))));
    const listing = execFileSync("readelf", ["-aW", path], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    expect(listing).toContain("visible");
    expect(listing).not.toMatch(/Warning|Error/i);
  });

  test("a relocation may do without a symbol", () => {
    const object = readElf(compile('asm(".reloc ., R_X86_64_NONE, 0; nop");'));
    const again = readElf(writeElf(object));
    expect(again.sections.flatMap(({ relocations }) => relocations)).toMatchObject([
      { type: 0, symbol: { name: "", section: "undefined" } },
    ]);
    expect(again.symbols).toEqual(object.symbols);
  });

  test("relocations name their symbols", () => {
    const object = readElf(compile(SMALL));
    const text = object.sections.find((section) => section.name === ".text.visible");
    expect(text?.relocations.map((relocation) => relocation.symbol.name)).toContain("printk");
  });
});

describe("damaged files", () => {
  const whole = compile(SMALL);

  test("truncation at every offset is an ElfError, never anything else", () => {
    for (let length = 0; length < whole.length; length++) {
      try {
        readElf(whole.subarray(0, length));
      } catch (error) {
        expect(error, `truncated to ${length}`).toBeInstanceOf(ElfError);
      }
    }
    expect(() => readElf(whole.subarray(0, whole.length >> 1))).toThrow(ElfError);
  });

  test("every byte of the headers may lie", () => {
    for (let at = 0; at < 64; at++)
      for (const value of [0x00, 0x01, 0x7f, 0xff]) {
        const bytes = Uint8Array.from(whole);
        bytes[at] = value;
        try {
          readElf(bytes);
        } catch (error) {
          expect(error, `byte ${at} = ${value}`).toBeInstanceOf(ElfError);
        }
      }
  });
});
