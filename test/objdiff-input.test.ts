import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMPILERS, compileSmallPair } from "./fuzz/small-objects.js";
import { hotpatch } from "./hotpatch.js";

const TIMEOUT = 120_000;
const folder = mkdtempSync(join(tmpdir(), "objdiff-input-"));
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  for (const compiler of COMPILERS) {
    const { orig, patched } = compileSmallPair(compiler);
    put(`${compiler[0]}.orig.o`, orig);
    put(`${compiler[0]}.o`, patched);
  }
  const whole = compileSmallPair(["gcc", ["-mcmodel=kernel", "-pg", "-mfentry", "-mrecord-mcount"]]).patched;
  put("cut.o", whole.subarray(0, whole.length >> 1));
  put("empty.o", "");
  put("text.o", "int f(void);\n");
  put("script.ko", "#!/bin/sh\n");
  put("huge.o", whole);
  truncateSync(join(folder, "huge.o"), 3 * 2 ** 30);
});

function put(name: string, content: Uint8Array | string): void {
  writeFileSync(join(folder, name), content);
}

const BAD: readonly [file: string, words: RegExp][] = [
  ["cut.o", /cut\.o: .*(truncated|damaged|more section headers than the file holds)/],
  ["empty.o", /empty\.o: not an ELF file/],
  ["text.o", /text\.o: not an ELF file/],
  ["script.ko", /script\.ko: not an ELF file/],
  ["huge.o", /huge\.o: larger than 256 MiB/],
  ["/dev/zero", /\/dev\/zero: larger than 256 MiB/],
  ["none.o", /cannot read none\.o: no such file/],
  [".", /cannot read \.: .*directory/],
  ["aarch64-linux-gnu-gcc.o", /gcc\.orig\.o is for x86_64, aarch64-linux-gnu-gcc\.o for arm64/],
  ["s390x-linux-gnu-gcc.o", /gcc\.orig\.o is for x86_64, s390x-linux-gnu-gcc\.o for s390x/],
];

describe("hotpatch objdiff turns away in one line", () => {
  test.each(BAD)(
    "%s",
    async (file, words) => {
      const { status, stdout, stderr } = await hotpatch(["objdiff", "gcc.orig.o", file], { cwd: folder });
      const lines = stderr.trimEnd().split("\n");
      expect({ status, stdout }, stderr).toEqual({ status: 2, stdout: "" });
      expect(lines[0]).toMatch(/^hotpatch: /);
      expect(lines[0]).toMatch(words);
      expect(lines.slice(1).every((line) => /^ {2}\S/.test(line))).toBe(true);
      expect(lines.length).toBeLessThanOrEqual(2);
    },
    TIMEOUT,
  );
});

test.each(COMPILERS)(
  "objects of %s are compared",
  async (compiler) => {
    const args = ["objdiff", `${compiler}.orig.o`, `${compiler}.o`, "--json"];
    const { status, stdout } = await hotpatch(args, { cwd: folder });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "carried", changed: ["visible"] });
  },
  TIMEOUT,
);
