import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ALL_COMPILERS, COMPILERS, diff } from "./fixtures/pairs.js";

const X86 = COMPILERS["gcc x86_64"];
const include = fileURLToPath(new URL("../../runtime/include", import.meta.url));
/** The header as it is, on as much of a kernel as it needs. */
const marked = (source: string) => `
typedef unsigned long long u64;
#define __used __attribute__((used))
#define CONCATENATED(a, b) a##b
#define CONCATENATE(a, b) CONCATENATED(a, b)
#define __UNIQUE_ID(prefix) CONCATENATE(__UNIQUE_ID_##prefix, __COUNTER__)
${readFileSync(join(include, "hotpatch.h"), "utf8").replace(/^#include.*$/gm, "")}
#line 1
${source}`;
const BEFORE = "int limit = 1; int work(int a) { return a > limit; } int other(int a) { return a + 1; }";

test.each(ALL_COMPILERS)("callbacks and states are taken along: %s", async (compiler) => {
  const { report, carried, callbacks, states } = await diff(
    COMPILERS[compiler],
    BEFORE,
    marked(`${BEFORE}
static int begin(struct klp_object *obj) { limit = 2; return 0; }
HOTPATCH_PRE_PATCH_CALLBACK(begin);
static void end(struct klp_object *obj) { limit = 1; }
HOTPATCH_POST_UNPATCH_CALLBACK(end)
HOTPATCH_STATE(7, 2);
HOTPATCH_STATE(8, 1);`),
  );
  expect(report).toMatchObject({ outcome: "carried", changed: [], new: ["begin", "end"], refusals: [] });
  expect(callbacks).toEqual([
    { kind: "pre_patch", name: "begin" },
    { kind: "post_unpatch", name: "end" },
  ]);
  expect(states).toEqual([
    { id: 7, version: 2 },
    { id: 8, version: 1 },
  ]);
  expect(carried?.sections.filter(({ name }) => name.includes("hotpatch"))).toEqual([]);
});

test("callbacks by the kernel's own header", async () => {
  const { callbacks } = await diff(
    X86,
    BEFORE,
    `${BEFORE}
struct klp_object;
static void begin(struct klp_object *obj) { limit = 2; }
void (*__klp_post_patch_callback_vmlinux)(struct klp_object *)
  __attribute__((used, section(".discard.klp_callback_ptrs"))) = begin;`,
  );
  expect(callbacks).toEqual([{ kind: "post_patch", name: "begin" }]);
});

test("a system call by the kernel's own header, which leaves out its description", async () => {
  const described = (name: string, value: number) => `
static noinline long ${name}(int a) { return a + ${value}; }
long __x64_sys_work(int a) { return ${name}(a); }`;
  const { report } = await diff(
    X86,
    `${described("__do_sys_work", 1)}
static int meta;
static int *__p_syscall_meta__work __attribute__((used, section("__syscalls_metadata"))) = &meta;`,
    described("__klp_do_sys_work", 2),
  );
  expect(report).toMatchObject({
    outcome: "carried",
    changed: ["__x64_sys_work"],
    new: ["__klp_do_sys_work"],
  });
  expect(report.remarks.map(({ rule }) => rule)).toContain("left-out");
});

test("a callback of another file is refused", async () => {
  const { report } = await diff(
    X86,
    BEFORE,
    marked(`${BEFORE} int begin(struct klp_object *obj); HOTPATCH_PRE_PATCH_CALLBACK(begin)`),
  );
  expect(report.refusals).toMatchObject([{ rule: "callback-pairing", symbol: "begin" }]);
});

const AFTER = BEFORE.replace("a > limit", "a >= limit").replace("a + 1", "a + 2").replace("= 1", "= 3");

test("an ignored function is not redirected, and that is said", async () => {
  const { report } = await diff(
    X86,
    BEFORE,
    marked(`${AFTER.replace("= 3", "= 1")} HOTPATCH_IGNORE_FUNCTION(other);`),
  );
  expect(report).toMatchObject({ outcome: "carried", changed: ["work"] });
  expect(report.remarks).toMatchObject([{ rule: "left-out", symbol: "other" }]);
});

test("an ignored section, and a refusal that is overruled", async () => {
  const plain = await diff(X86, BEFORE, AFTER);
  expect(plain.report.refusals).toMatchObject([{ rule: "static-data-changed", symbol: "limit" }]);
  const ignored = await diff(X86, BEFORE, marked(`${AFTER} HOTPATCH_IGNORE_SECTION(".data.limit")`));
  expect(ignored.report).toMatchObject({ outcome: "carried", remarks: [{ rule: "left-out" }] });
  const forced = await diff(X86, BEFORE, marked(`${AFTER} HOTPATCH_FORCE(limit, "set by hand")`));
  expect(forced.report).toMatchObject({
    outcome: "carried",
    changed: ["other", "work"],
    remarks: [{ rule: "static-data-changed", severity: "needs-review", symbol: "limit" }],
  });
  expect(forced.report.remarks[0]?.message).toContain('"set by hand"');
});

test("the marks count, and initcalls that are counted with them stay who they are", async () => {
  const counted = `${BEFORE}
#define INITCALL(count) \
  static int CONCATENATED(__initcall__kmod_unit__##count, _173_work5) \
    __attribute__((used, section(".initcall5.init"))) = 1;
`;
  const numbers = "#define CONCATENATED(a, b) a##b\n";
  const { report } = await diff(
    X86,
    `${numbers}${counted} INITCALL(311)`,
    `${numbers}${counted} INITCALL(384)`,
  );
  expect(report.outcome).toBe("unchanged");
});

test("a mark for what is not there is said to be of no use", async () => {
  const { report } = await diff(X86, BEFORE, marked(`${BEFORE} HOTPATCH_IGNORE_FUNCTION(nobody)`));
  expect(report).toMatchObject({
    outcome: "unchanged",
    remarks: [{ rule: "left-out", severity: "info", symbol: "nobody" }],
  });
});
