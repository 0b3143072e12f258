import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A pair of objects of one small unit, before and after a change. */
export interface SmallPair {
  readonly compiler: string;
  readonly orig: Uint8Array;
  readonly patched: Uint8Array;
}

/** Something of everything that the object diff looks at: names, strings, tables that describe code, types. */
const SOURCE = `
struct item { int a; struct { short b, c; }; struct item *next; enum { LOW, HIGH } kind : 2; };
struct ops { int (*get)(struct item *); };
extern int print(const char *, ...);
static int count = 3, zero[4];
static int get(struct item *item) { return item->b + count; }
const struct ops ops = { get };
int visible(int i, struct item *item) {
  static int calls;
  calls++;
  asm volatile(".pushsection __bug_table,\\"aw\\"\\n.long 1f - .\\n.short 7, 0\\n.popsection\\n1:");
  return print("value %d of %s\\n", count += i, __func__) + zero[i] + calls + STEP;
}
`;
const FLAGS = [
  "-O2",
  "-g",
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-pic",
  "-fno-asynchronous-unwind-tables",
];

/** The compilers that every machine has that runs the tests; s390x is big-endian. */
export const COMPILERS: readonly (readonly [compiler: string, flags: readonly string[]])[] = [
  ["gcc", ["-mcmodel=kernel", "-pg", "-mfentry", "-mrecord-mcount"]],
  ["aarch64-linux-gnu-gcc", ["-fpatchable-function-entry=2"]],
  ["s390x-linux-gnu-gcc", ["-pg", "-mfentry", "-mrecord-mcount", "-mnop-mcount"]],
];

/** Compiles the pair on the spot. @throws when the compiler is not there */
export function compileSmallPair([compiler, flags]: (typeof COMPILERS)[number]): SmallPair {
  const folder = mkdtempSync(join(tmpdir(), "hotpatch-fuzz-"));
  const compile = (step: number) => {
    const [source, object] = [join(folder, "unit.c"), join(folder, "unit.o")];
    writeFileSync(source, SOURCE);
    execFileSync(compiler, [...FLAGS, ...flags, `-DSTEP=${step}`, "-c", "-o", object, source]);
    return Uint8Array.from(readFileSync(object));
  };
  try {
    return { compiler, orig: compile(1), patched: compile(2) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
