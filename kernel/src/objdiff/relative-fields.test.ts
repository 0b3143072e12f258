import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SectionFlag } from "../elf/format.js";
import { readElf } from "../elf/read.js";
import { architectureOf } from "./architecture.js";
import { ALL_COMPILERS, COMPILERS, compile } from "./fixtures/pairs.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-fields-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Branches of all kinds, constants and operands of all sizes. */
const SOURCE = `
struct s { long a; int b; short c; char d; unsigned long long e[40]; double f; };
static long table[100]; static short small; static char tiny; static unsigned long long wide;
noinline static long leaf(struct s *s, long i) { table[i & 63] += s->a; small += 1000; tiny ^= 5; wide = 0x123456789abcdefULL; return i * 1000003; }
long f(struct s *s, long i, unsigned n) {
  long sum = 0;
  for (unsigned k = 0; k < n; k++) {
    switch (k % 9) { case 0: sum += leaf(s, k); break; case 1: sum <<= i & 31; break; case 2: sum /= (i | 1); break; case 3: sum ^= s->e[k & 31]; break; case 4: sum = sum > i ? sum : i; break; case 5: s->c += 300; s->d--; break; case 6: sum += __builtin_popcountl(sum); break; default: if (sum & 4096) use(s); }
    if (unlikely(sum < -100000)) bad(k);
  }
  return sum + leaf(s, sum);
}
double g(double x, float y, int n) { double r = x * 3.25 + y; while (n--) r = r / 1.5 - (float)n; return r; }
void h(struct s *a, struct s *b) { *a = *b; __sync_fetch_and_add(&a->b, 7); a->f = g(a->f, 2, 3); if (a->b == 0x12345) use(b); }
`;

test.each(ALL_COMPILERS)("what code refers to by distance is what objdump reads: %s", async (compiler) => {
  const bytes = await compile(COMPILERS[compiler], SOURCE);
  const path = join(folder, `${compiler.replace(" ", "-")}.o`);
  writeFileSync(path, bytes);
  const object = readElf(bytes);
  const read = architectureOf(object)?.relativeFields;
  const objdump = compiler.includes("arm64") ? "aarch64-linux-gnu-objdump" : "objdump";
  const text = execFileSync(objdump, ["-d", "--no-show-raw-insn", path], { encoding: "utf8" });
  let compared = 0;
  for (const part of text.split(/^Disassembly of section /m).slice(1)) {
    const name = part.slice(0, part.indexOf(":\n"));
    const section = object.sections.find((one) => one.name === name);
    if (section === undefined || !(section.flags & SectionFlag.EXECINSTR)) continue;
    const relocated = new Set(section.relocations.map(({ offset }) => offset));
    const theirs = [...part.matchAll(/^ *([0-9a-f]+):\t.*?([0-9a-f]+) <[^>]*>/gm)]
      .map(
        ([, place = "", target = ""]) => [Number.parseInt(place, 16), Number.parseInt(target, 16)] as const,
      )
      // Only on arm64 does a relocation stand at the instruction's own place.
      .filter(([place]) => !relocated.has(place))
      .map(([, target]) => target);
    const fields = read?.(section.data, 0, section.data.length) ?? [];
    const mine = fields.filter(({ offset }) => !relocated.has(offset)).map(({ target }) => target);
    for (const target of mine) expect(theirs).toContain(target);
    for (const target of theirs) expect(fields.map((field) => field.target)).toContain(target);
    compared += theirs.length;
  }
  expect(compared).toBeGreaterThan(10);
});
