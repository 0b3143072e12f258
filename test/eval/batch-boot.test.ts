import type { GuestEnd } from "@kernel-hotpatch/kernel/sandbox/qemu";
import { expect, test } from "vitest";
import { isGood, type Loadable, resultOf } from "./batch-boot.js";

const patch = (id: string, ...objects: string[]): Loadable => ({
  id,
  path: `/${id}.ko`,
  sha256: id,
  module: id,
  objects,
});
const batch = [patch("a", "vmlinux"), patch("b", "ext4")];
const STEPS = ["targets", "load", "transition", "exercise", "disable", "unload"];

/** What prove.sh writes of one patch. */
function report(id: string, number: number, failing: readonly string[] = []): string {
  const steps = STEPS.map((name, at) => {
    const word = failing.includes(name) ? "not ok" : "ok";
    return `# begin ${id}: ${name}\n  # | words of ${name}\n  # time 1 2\n  ${word} ${at + 1} ${name}\n`;
  });
  const word = failing.length > 0 ? "not ok" : "ok";
  return `# begin ${id}\n  KTAP version 1\n  1..6\n${steps.join("")}# time 1 3\n${word} ${number} ${id}\n`;
}

const guest = (protocol: string, console = "", end: GuestEnd["end"] = "exited"): GuestEnd => ({
  end,
  console,
  protocol: Buffer.from(`KTAP version 1\n1..2\n${protocol}`),
  seconds: 1,
});
const NONE = new Set<string>();

test("all in and out", () => {
  const { done, ended } = resultOf(batch, NONE, guest(report("a", 1) + report("b", 2)));
  expect(done.map(isGood)).toEqual([true, true]);
  expect(done.map(({ targets }) => targets)).toEqual(["built in", "loaded"]);
  expect(ended).toBeUndefined();
});

test("a step that fails, with its words", () => {
  const { done } = resultOf(batch, NONE, guest(report("a", 1, ["exercise"]) + report("b", 2)));
  expect(done.map(isGood)).toEqual([false, true]);
  expect(done[0]).toMatchObject({
    exercise: false,
    load: true,
    words: ["exercise: ", "| words of exercise"],
  });
});

test("a module that does not load here is no fault of the patch", () => {
  const { done } = resultOf(batch, NONE, guest(report("a", 1) + report("b", 2, ["targets"])));
  expect(done[1]).toMatchObject({ targets: "not loaded", words: [] });
  expect(done.map(isGood)).toEqual([true, true]);
});

test("a guest that dies: in which patch and step", () => {
  const begun = "# begin b\n  KTAP version 1\n  1..6\n# begin b: targets\n  ok 1 targets\n# begin b: load\n";
  const { done, ended } = resultOf(batch, NONE, guest(report("a", 1) + begun, "", "silence"));
  expect(done.map(({ id }) => id)).toEqual(["a"]);
  expect(ended).toMatchObject({ step: "load", loaded: { id: "b", load: false } });
  expect(ended?.loaded.words).toEqual(["the guest ended (silence) in 'load'"]);
});

test("what the kernel says of every live patch is no complaint, all else is", () => {
  const log = (id: string, ...lines: string[]) =>
    [`hotpatch: begin ${id}: load`, ...lines, `hotpatch: begin ${id}: transition`].map(
      (line, at) => `[    1.00000${at}] ${line}\n`,
    );
  const usual = [
    "a: loading out-of-tree module taints kernel.",
    "a: tainting kernel with TAINT_LIVEPATCH",
    "livepatch: enabling patch 'a'",
    "livepatch: 'a': starting patching transition",
  ];
  const console = [
    ...log("a", ...usual),
    ...log("b", "kobject: (x): tried to init an initialized object"),
  ].join("");
  const { done } = resultOf(batch, NONE, guest(report("a", 1) + report("b", 2), console));
  expect(done.map(({ log }) => log)).toEqual([[], ["kobject: (x): tried to init an initialized object"]]);
  expect(done.map(isGood)).toEqual([true, false]);
});
