import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readElf } from "../../elf/read.js";
import { callbacksOf, type DeclaredCallbacks, keepCallable } from "./callbacks.js";

function unitWith(
  source: string,
  callbacks: DeclaredCallbacks["callbacks"],
  name = "a.c",
): DeclaredCallbacks {
  const folder = mkdtempSync(join(tmpdir(), "hotpatch-callbacks-"));
  try {
    writeFileSync(join(folder, "a.c"), source);
    execFileSync("gcc", ["-c", "-ffunction-sections", "a.c", "-o", "a.o"], { cwd: folder });
    const carried = readElf(readFileSync(join(folder, "a.o")));
    return { unit: name, object: "vmlinux", carried, callbacks };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("their addresses stand in the object before objtool reads it, or it would seal them against indirect calls", () => {
  const unit = unitWith("int begin(void) { return 0; } void end(void) { }", [
    { kind: "pre_patch", name: "begin" },
    { kind: "post_unpatch", name: "end" },
  ]);
  keepCallable(unit);
  const section = unit.carried.sections.find(({ name }) => name === ".data.hotpatch.callbacks");
  expect(section?.data).toHaveLength(16);
  expect(section?.relocations).toMatchObject([
    { offset: 0, type: 1, symbol: { name: "begin" } },
    { offset: 8, type: 1, symbol: { name: "end" } },
  ]);
});

test("an object without callbacks stays as it is", () => {
  const unit = unitWith("int begin(void) { return 0; }", []);
  const before = unit.carried.sections.length;
  keepCallable(unit);
  expect(unit.carried.sections).toHaveLength(before);
});

test("one of a kind for each object; a module's are its own", () => {
  const named = (name: string, object: string, unit: string) => ({
    ...unitWith(`void ${name}(void) { }`, [{ kind: "post_patch" as const, name }], unit),
    object,
  });
  const { callbacks, refusals } = callbacksOf([
    named("one", "vmlinux", "a.c"),
    named("two", "ext4", "b.c"),
    named("three", "vmlinux", "c.c"),
  ]);
  expect(callbacks.map(({ object, handler }) => `${object} ${handler.name}`)).toEqual([
    "vmlinux one",
    "ext4 two",
  ]);
  expect(refusals).toMatchObject([{ rule: "callback-pairing", file: "c.c", symbol: "three" }]);
});
