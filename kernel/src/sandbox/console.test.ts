import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { complaintKey, complaintObservation, complaints, consoleDuring } from "./console.js";

function excerpt(name: string): string {
  return readFileSync(new URL(`../../src/sandbox/fixtures/console/${name}.log`, import.meta.url), "latin1");
}

/** What each excerpt of a real console holds: kind, function and, where the kernel's own source is named, file. */
const CONSOLES: readonly [name: string, ...expected: object[]][] = [
  ["good"],
  ["warning", { kind: "warning", title: "a warning on purpose", symbol: "start", module: "case_warns" }],
  ["warning-without-text", { kind: "warning", symbol: "start", offset: "+0x5/0x1000" }],
  [
    "null-pointer",
    {
      kind: "oops",
      title: "BUG: kernel NULL pointer dereference, address: 0000000000000008",
      symbol: "start",
      module: "case_oopses",
    },
  ],
  ["general-protection", { kind: "oops", symbol: "start", module: "case_protection" }],
  ["bug", { kind: "oops", title: "kernel BUG at /work/case_bugs.c:64!", symbol: "start" }],
  [
    "list-corruption",
    {
      kind: "oops",
      title: expect.stringContaining("list_add corruption"),
      symbol: "start",
      file: "lib/list_debug.c",
      line: 27,
    },
  ],
  [
    "refcount",
    {
      kind: "warning",
      title: "refcount_t: addition on 0; use-after-free.",
      symbol: "start",
      file: "lib/refcount.c",
    },
  ],
  ["hung-task", { kind: "hung task", symbol: "start" }],
  ["panic", { kind: "panic", title: "Kernel panic - not syncing: a panic on purpose", symbol: "start" }],
  ["sysrq-crash", { kind: "panic", symbol: expect.stringContaining("sysrq") }],
  ["arm64-panic", { kind: "panic", symbol: expect.stringContaining("sysrq") }],
  ["soft-lockup", { kind: "soft lockup", symbol: "start" }, { kind: "panic" }],
];

test.each(CONSOLES)("%s: each complaint is found once", (name, ...expected) => {
  const found = complaints(excerpt(name));
  expect(found).toHaveLength(expected.length);
  expected.forEach((complaint, index) => {
    expect(found[index]).toMatchObject({ step: "load", ...complaint });
  });
});

/** Complaints that a stock kernel cannot be brought to, from Documentation/RCU, Documentation/dev-tools and kernel/locking. */
const WORDS: readonly [kind: string, line: string][] = [
  ["RCU stall", "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"],
  ["RCU stall", "rcu: INFO: rcu_sched self-detected stall on CPU"],
  [
    "RCU stall",
    "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... } 21010 jiffies s: 17",
  ],
  ["kasan", "BUG: KASAN: slab-out-of-bounds in kmalloc_oob_right+0xa8/0xbc [test_kasan]"],
  ["kasan", "BUG: KFENCE: use-after-free read in test_use_after_free_read+0xb3/0x143"],
  ["lockdep", "WARNING: suspicious RCU usage"],
  ["lockdep", "WARNING: possible circular locking dependency detected"],
  ["oops", "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008"],
  ["bug", "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580"],
  ["soft lockup", "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!"],
];

test.each(WORDS)("%s is known by: %s", (kind, line) => {
  expect(complaints(`[    1.000000] ${line}\n`)).toMatchObject([{ kind, title: line }]);
});

test("taints, tests' own words and ordinary messages are no complaints", () => {
  const lines = [
    "[    2.257893] hp: loading out-of-tree module taints kernel.",
    "[    2.258415] hp: tainting kernel with TAINT_LIVEPATCH",
    "[    2.267575] hp: module verification failed: signature and/or required key missing - tainting kernel",
    "[    2.300902] EXT4-fs (loop0): mounted filesystem with ordered data mode. Quota mode: none.",
    "[    2.400000] random: crng init done, no BUG: here",
  ];
  expect(complaints(lines.join("\n"))).toEqual([]);
});

test("an observation says what, where and when, with the evidence", () => {
  const [complaint] = complaints(excerpt("null-pointer"));
  if (!complaint) throw new Error("no complaint");
  const observation = complaintObservation(complaint);
  expect(observation).toMatchObject({
    rule: "kernel-complained",
    symbol: "start",
    message:
      "the kernel oopsed in start+0x5/0x1000 [case_oopses] during 'load': " +
      "BUG: kernel NULL pointer dereference, address: 0000000000000008",
  });
  expect(observation.detail).toContain("RIP: 0010:start+0x5/0x1000 [case_oopses]");
  expect(observation.detail).toContain("---[ end trace");
  expect(observation.detail).not.toMatch(/^\[ +\d/m);
});

test("the same complaint at another time has the same key", () => {
  const keys = complaints(excerpt("warning") + excerpt("warning").replaceAll("PID: 9", "PID: 8")).map(
    complaintKey,
  );
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
  expect(complaints(excerpt("null-pointer")).map(complaintKey)).not.toContain(keys[0]);
});

test("a step's lines are those between its marker and the next", () => {
  expect(consoleDuring(excerpt("good"), "transition")).toEqual([]);
  expect(consoleDuring(excerpt("good"), "disable")).toEqual([
    "livepatch: 'case_good': starting unpatching transition",
    "livepatch: 'case_good': unpatching complete",
  ]);
});

test("text without end or sense is read in one pass", () => {
  const flood = "------------[ cut here ]------------\nWARNING: CPU: 0 PID: 1\n".repeat(20_000);
  expect(complaints(flood).length).toBe(20_000);
});
