import { describe, expect, it } from "vitest";
import { judgeCondition, lineConditions } from "./conditions.js";
import { parseConfig } from "./config.js";

const config = parseConfig('CONFIG_Y=y\nCONFIG_M=m\nCONFIG_HZ=250\nCONFIG_HEX=0x10\nCONFIG_S="text"\n');

describe("expressions", () => {
  it.each([
    ["1", "yes"],
    ["0", "no"],
    ["defined(CONFIG_Y)", "yes"],
    ["defined CONFIG_Y && !defined CONFIG_N", "yes"],
    ["defined(CONFIG_M)", "no"],
    ["defined(CONFIG_M_MODULE)", "yes"],
    ["defined(CONFIG_M) || defined(CONFIG_M_MODULE)", "yes"],
    ["defined(CONFIG_Y_MODULE)", "no"],
    ["IS_ENABLED(CONFIG_Y) && IS_ENABLED( CONFIG_M )", "yes"],
    ["IS_ENABLED(CONFIG_N)", "no"],
    ["IS_BUILTIN(CONFIG_M)", "no"],
    ["IS_MODULE(CONFIG_M)", "yes"],
    ["IS_REACHABLE(CONFIG_Y)", "yes"],
    ["IS_REACHABLE(CONFIG_M)", "unknown"],
    ["CONFIG_HZ >= 250 && CONFIG_HZ < 1000", "yes"],
    ["CONFIG_HEX == 16", "yes"],
    ["CONFIG_N > 1", "no"],
    ["CONFIG_S", "unknown"],
    ["BITS_PER_LONG == 64", "yes"],
    ["(1 << 4) - 2 * 8 + 010 == 8", "yes"],
    ["__KERNEL__", "yes"],
    ["defined(__ASSEMBLY__)", "no"],
    ["defined(MODULE)", "unknown"],
    ["GCC_VERSION >= 50100", "unknown"],
    ["LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)", "unknown"],
    ["defined(CONFIG_N) && FOO(1, (2))", "no"],
    ["FOO || 1", "yes"],
    ["FOO ? 1 : 1", "yes"],
    ["CONFIG_Y ? 0 : FOO", "no"],
    ["1 / 0", "unknown"],
    ["", "unknown"],
    ["1 +", "unknown"],
    ["((1)", "unknown"],
    ["defined(", "unknown"],
    ["1 2", "unknown"],
    [`${"(".repeat(5000)}1${")".repeat(5000)}`, "unknown"],
  ])("%s: %s", (text, kept) => {
    expect(judgeCondition(text, { config })).toBe(kept);
  });

  it("knows nothing of options without a configuration, but of the file's own build", () => {
    expect(judgeCondition("defined(CONFIG_Y)", { config: undefined })).toBe("unknown");
    expect(judgeCondition("CONFIG_HZ > 1 && 0", { config: undefined })).toBe("no");
    expect(judgeCondition("IS_REACHABLE(CONFIG_M)", { config, module: true })).toBe("yes");
    expect(judgeCondition("IS_REACHABLE(CONFIG_M) || defined(MODULE)", { config, module: false })).toBe("no");
  });
});

const TEXT = `int a;
#ifdef CONFIG_Y
int b;
# if !defined(CONFIG_N) && \\
	FOO /* why */
int c;
# else
int d;
# endif
#elif defined(CONFIG_M)
int e;
#else
int f;
/*
#endif
*/
char *s = "\\
#endif";
#endif // CONFIG_Y
int g;
`;

it("tells what a line stands under", () => {
  const at = lineConditions(TEXT, config);
  expect(at(1)).toEqual({ conditions: [], kept: "yes" });
  expect(at(2)).toEqual({ conditions: [], kept: "yes" });
  expect(at(3)).toEqual({ conditions: ["defined(CONFIG_Y)"], kept: "yes" });
  expect(at(5)).toEqual({ conditions: ["defined(CONFIG_Y)"], kept: "yes" });
  expect(at(6)).toEqual({ conditions: ["defined(CONFIG_Y)", "!defined(CONFIG_N) && FOO"], kept: "unknown" });
  expect(at(8)).toEqual({
    conditions: ["defined(CONFIG_Y)", "!(!defined(CONFIG_N) && FOO)"],
    kept: "unknown",
  });
  expect(at(11)).toEqual({ conditions: ["!defined(CONFIG_Y)", "defined(CONFIG_M)"], kept: "no" });
  const last = { conditions: ["!defined(CONFIG_Y)", "!(defined(CONFIG_M))"], kept: "no" };
  expect(at(13)).toEqual({ conditions: ["!defined(CONFIG_Y)", "!defined(CONFIG_M)"], kept: "no" });
  expect(at(18)).toEqual({ ...last, conditions: ["!defined(CONFIG_Y)", "!defined(CONFIG_M)"] });
  expect(at(20)).toEqual({ conditions: [], kept: "yes" });
  expect(at(1000)).toEqual({ conditions: [], kept: "yes" });
});

it.each([
  ["/* x */\n#ifndef _H\n#define _H\nint a;\n#endif /* _H */\n", 4, []],
  ["#if !defined(_H) || defined(MULTI)\n#define _H\nint a;\n#endif\n#include <x.h>\n", 3, []],
  ["#ifndef A\n#define A 1\n#endif\nint a;\n", 2, ["!defined(A)"]],
  ["int a;\n#ifndef _H\n#define _H\nint b;\n#endif\n", 4, ["!defined(_H)"]],
])("a header's guard is no condition: %j", (text, line, conditions) => {
  expect(lineConditions(text, config)(line).conditions).toEqual(conditions);
});

it("malformed text gives an answer, in bounded time", () => {
  const texts = [
    "#endif\n#else\n#elif\nint a;\n",
    "#if\n#ifdef\n#if (((\n",
    "#if A\n".repeat(20_000),
    `#if A\n${"#elif B\n".repeat(20_000)}`,
    "/*".repeat(100_000),
    `#if ${"A||".repeat(100_000)}`,
    "#if \\\n".repeat(50_000),
  ];
  const start = performance.now();
  for (const text of texts) expect(lineConditions(text, config)(20_000).kept).toBeDefined();
  expect(performance.now() - start).toBeLessThan(10_000);
});
