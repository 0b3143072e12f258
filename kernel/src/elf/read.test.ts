import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ElfError, readElf } from "./read.js";
import { writeElf } from "./write.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-elf-"));
afterAll(() => rmSync(folder, { recursive: true }));

function compile(source: string): Uint8Array {
  const [c, o] = [join(folder, "a.c"), join(folder, "a.o")];
  writeFileSync(c, source);
  execFileSync("gcc", ["-O2", "-ffunction-sections", "-fdata-sections", "-c", "-o", o, c]);
  return Uint8Array.from(readFileSync(o));
}

const SMALL = `
extern int printk(const char *, ...);
static int count = 3;
static int zero[100];
int visible(int i) { count += i; return printk("value %d\\n", count) + zero[i]; }
`;

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
