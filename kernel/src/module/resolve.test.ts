import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ElfObject } from "../elf/object.js";
import { readElf } from "../elf/read.js";
import { type Export, type KernelSymbols, parseKallsyms } from "./kernel-symbols.js";
import { resolveReference, type UnitObject } from "./resolve.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-resolve-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SOURCE = `
int shared_data = 5;
extern void exported(void), elsewhere(void), hidden(void), nowhere(void);
static __attribute__((noinline)) int first(int a) { static int n = 1; return n += a; }
static __attribute__((noinline)) int twice(int a) { return first(a) * 3; }
int last(int a) { exported(); elsewhere(); hidden(); nowhere(); return twice(a) + 1; }
`;

function compiled(): ElfObject {
  const [c, o] = [join(folder, "unit.c"), join(folder, "unit.o")];
  writeFileSync(c, SOURCE);
  execFileSync("gcc", [
    "-O2",
    "-fno-ipa-cp",
    "-fno-ipa-sra",
    "-fno-toplevel-reorder",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-pic",
    "-c",
    "-o",
    o,
    c,
  ]);
  return readElf(readFileSync(o));
}

const unit: UnitObject = { unit: "a/unit.c", object: "vmlinux", orig: compiled() };

function kernel(kallsyms: string, exports: Record<string, Export> = {}): KernelSymbols {
  const none = () => Promise.reject(new Error("no module is to be read"));
  return {
    exports: new Map(Object.entries(exports)),
    table: (object) => Promise.resolve(parseKallsyms(object === "vmlinux" ? kallsyms : "")),
    module: none,
    anyModule: none,
  };
}

const table = (...entries: [number, string][]) =>
  entries
    .map(
      ([address, name]) =>
        `${address.toString(16).padStart(16, "f")} ${/\d$|data/.test(name) ? "d" : "t"} ${name}`,
    )
    .join("\n");

describe("what the running kernel calls it", () => {
  const around = table([0x1000, "first"], [0x1040, "twice"], [0x1080, "last"], [0x9000, "hidden"]);

  test("an export of vmlinux is left to the module loader", async () => {
    const entry = { by: "vmlinux", crc: 7, namespace: "" };
    expect(await resolveReference(kernel(around, { exported: entry }), unit, "exported")).toEqual({
      kind: "export",
      entry,
    });
  });

  test("what is exported to certain modules only is found by livepatch", async () => {
    const entry = { by: "vmlinux", crc: 7, namespace: "module:kvm-intel" };
    const symbols = kernel(table([0x1000, "first"], [0x1040, "meant"], [0x1080, "last"]), { meant: entry });
    expect(await resolveReference(symbols, unit, "meant")).toMatchObject({ kind: "livepatch", sympos: 0 });
  });

  test("what is not exported is found by livepatch", async () => {
    expect(await resolveReference(kernel(around), unit, "hidden")).toEqual({
      kind: "livepatch",
      object: "vmlinux",
      sympos: 0,
    });
  });

  test("another module's export, from code of a module", async () => {
    const entry = { by: "fs/jbd2/jbd2", crc: 7, namespace: "" };
    const ofModule = { ...unit, object: "ext4" };
    const symbols = kernel(around, { elsewhere: entry });
    expect(await resolveReference(symbols, ofModule, "elsewhere")).toEqual({
      kind: "livepatch",
      object: "jbd2",
      sympos: 0,
    });
  });

  test("nobody has it", async () => {
    expect(await resolveReference(kernel(around), unit, "nowhere")).toMatchObject({ kind: "refused" });
  });
});

describe("several of one name", () => {
  test("the one between the unit's neighbours", async () => {
    const symbols = kernel(
      table([0x500, "twice"], [0x1000, "first"], [0x1040, "twice"], [0x1080, "last"], [0x9000, "twice"]),
    );
    expect(await resolveReference(symbols, unit, "twice")).toEqual({
      kind: "livepatch",
      object: "vmlinux",
      sympos: 2,
    });
  });

  test("no neighbour tells", async () => {
    const symbols = kernel(table([0x500, "twice"], [0x1040, "twice"]));
    expect(await resolveReference(symbols, unit, "twice")).toMatchObject({
      kind: "refused",
      refusal: { rule: "duplicate-symbol" },
    });
  });

  test("all of them are too far away", async () => {
    const symbols = kernel(table([0x1000, "first"], [0x90000, "twice"], [0xa0000, "twice"]));
    expect(await resolveReference(symbols, unit, "twice")).toMatchObject({ kind: "refused" });
  });
});

describe("a variable that the compiler numbered", () => {
  test.each([
    ["before", 0x5000],
    ["behind", 0x5008],
  ])("%s its neighbour", async (_, address) => {
    const symbols = kernel(table([0x5004, "shared_data"], [address, "n.0"]));
    expect(await resolveReference(symbols, unit, "n.0")).toEqual({
      kind: "livepatch",
      object: "vmlinux",
      sympos: 0,
    });
  });

  test("far from its neighbour it is another file's", async () => {
    const symbols = kernel(table([0x5004, "shared_data"], [0x9000, "n.0"]));
    expect(await resolveReference(symbols, unit, "n.0")).toMatchObject({ kind: "refused" });
  });
});
