import { expect, it } from "vitest";
import { readMakefile, UNKNOWN } from "./makefile.js";

const OPTIONS: Record<string, string> = { CONFIG_Y: "y", CONFIG_M: "m", CONFIG_N: "" };

function words(text: string, variable = "obj-y", includes: Record<string, string> = {}): string[] {
  return readMakefile(text, {
    option: (name) => OPTIONS[name],
    variables: { src: "here" },
    include: (path) => includes[path],
  }).words(variable);
}

it.each([
  ["obj-y := a.o \\\n\tb.o # c.o", ["a.o", "b.o"]],
  ["obj-$(CONFIG_Y) += a.o\nobj-$(CONFIG_M) += b.o\nobj-$(CONFIG_N) += c.o", ["a.o"]],
  ["x = $(y)\nobj-y += $(x)\ny := a.o", ["a.o"]],
  ["y := a.o\nobj-y := $(y)\ny := b.o", ["a.o"]],
  ["obj-y ?= a.o\nobj-y ?= b.o", ["a.o"]],
  ["ifdef CONFIG_Y\nobj-y += a.o\nelse\nobj-y += b.o\nendif", ["a.o"]],
  [
    "ifeq ($(CONFIG_M),y)\nobj-y += a.o\nelse ifeq ($(CONFIG_M),m)\nobj-y += b.o\nelse\nobj-y += c.o\nendif",
    ["b.o"],
  ],
  ["ifneq ($(CONFIG_N),)\nifdef CONFIG_Y\nobj-y += a.o\nendif\nendif\nobj-y += b.o", ["b.o"]],
  ["obj-$(subst m,y,$(CONFIG_M)) += a/", ["a/"]],
  [
    "obj-y += $(addprefix sub/,$(patsubst %.c,%.o,a.c b.S)) $(filter-out x.o,x.o y.o)",
    ["sub/a.o", "sub/b.S", "y.o"],
  ],
  ["f := a.c b.c\nobj-y := $(f:.c=.o)", ["a.o", "b.o"]],
  ["obj-y += $(if $(CONFIG_N),a.o,b.o) $(foreach n,1 2,$(n).o)", ["b.o", "1.o", "2.o"]],
  ["include $(src)/more\nobj-y += b.o", ["a.o", "b.o"]],
  ["$(obj)/x: y\n\tobj-y = recipe\nobj-y += a.o", ["a.o"]],
  ["define obj\nobj-y += no.o\nendef\nobj-y += a.o", ["a.o"]],
])("%j", (text, expected) => {
  expect(words(text, "obj-y", { "here/more": "obj-y += a.o\n" })).toEqual(expected);
});

it.each([
  ["obj-y += a.o $(shell ls)", ["a.o", UNKNOWN]],
  ["ifeq ($(shell uname),Linux)\nobj-y += a.o\nendif\nobj-y += b.o", [UNKNOWN, "b.o"]],
  ["ifdef CC_HAS_IT\nobj-y += a.o\nelse\nobj-y += b.o\nendif", [UNKNOWN, UNKNOWN]],
  ["obj-y += $(wildcard *.o)", [UNKNOWN]],
])("what the text does not tell: %j", (text, expected) => {
  expect(words(text)).toEqual(expected);
});

it("says when it lists more than is known", () => {
  const read = (text: string) =>
    readMakefile(text, { option: () => undefined, variables: {}, include: () => undefined });
  expect(read("obj-$(CONFIG_A) += a.o").isWhole).toBe(false);
  expect(read("include elsewhere").isWhole).toBe(false);
  expect(read("-include elsewhere").isWhole).toBe(true);
  expect(read("$(foreach f,$(l),$(eval obj-y += $(f)))").isWhole).toBe(false);
  expect(read("obj-$(CONFIG_A) += a.o").assignments).toEqual([
    { variable: "obj-$(CONFIG_A)", words: ["a.o"], options: ["CONFIG_A"] },
  ]);
});

it("any text gives a result, in bounded time", () => {
  const doubling = `a0 := xxxxxxxxxxxxxxxx\n${Array.from({ length: 64 }, (_, n) => `a${n + 1} := $(a${n})$(a${n})`).join("\n")}`;
  expect(words(`${doubling}\nobj-y := $(a64)`).join("").length).toBeLessThan(100_000_000);
  for (const text of [
    "a = $(a)\nobj-y = $(a)",
    "endif\nelse\nifeq (",
    "$(((((",
    "x".repeat(1e6),
    "ifdef A\n".repeat(20_000),
    `obj-y := ${"$(".repeat(50_000)}`,
  ])
    expect(words(text)).toBeInstanceOf(Array);
});
