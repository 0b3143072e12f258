import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { ElfObject } from "../elf/object.js";
import { readElf } from "../elf/read.js";
import { writeElf } from "../elf/write.js";
import { joinObjects } from "./join.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-join-"));
afterAll(() => rmSync(folder, { recursive: true }));

function compile(name: string, source: string): ElfObject {
  const [c, o] = [join(folder, `${name}.c`), join(folder, `${name}.o`)];
  writeFileSync(c, source);
  execFileSync("gcc", ["-O2", "-fno-pic", "-fno-asynchronous-unwind-tables", "-c", "-o", o, c]);
  return readElf(readFileSync(o));
}

const MAIN = `
#include <stdio.h>
static const char *words[] = { "one", "two" };
static int count = 40;
extern int other(int);
int main(void) { printf("%s %s %d\\n", words[0], words[1], other(count)); return 0; }
`;
const OTHER = `
#include <stdio.h>
static int count = 1;
int other(int a) { printf("%s\\n", "other"); return a + count + 1; }
`;

test("a program of joined objects runs as one of the separate ones", () => {
  const joined = joinObjects([compile("main", MAIN), compile("other", OTHER)]);
  const [object, program] = [join(folder, "joined.o"), join(folder, "program")];
  writeFileSync(object, writeElf(joined));
  execFileSync("gcc", ["-no-pie", "-z", "noexecstack", "-o", program, object]);
  expect(execFileSync(program, { encoding: "utf8" })).toBe("other\none two 42\n");
});

test("there is one section of each name, and no reference to the other file is left", () => {
  const { sections, symbols } = joinObjects([compile("main", MAIN), compile("other", OTHER)]);
  const names = sections.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
  expect(symbols.filter(({ section }) => section === "undefined").map(({ name }) => name)).not.toContain(
    "other",
  );
});
