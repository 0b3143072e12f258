import assert from "node:assert/strict";
import * as vscode from "vscode";
import { changeMeminfo, MEMINFO, prove } from "./meminfo.js";
import { replace, session, show, takeBackAfterEach, until, working } from "./on-stage.js";

const QEMU = /^\S*qemu-system/;
const COMPILER = /\bcc1\b|^\S*gcc/;

describe("guests", () => {
  takeBackAfterEach(MEMINFO);

  it("a patch whose test fails turns red", async () => {
    await changeMeminfo(2);
    const outcomes = await prove();
    assert.equal(outcomes["test loaded: meminfo"], "failed");
    assert.equal(outcomes.load, "passed");
  });

  it("cancelling stops the guest", async () => {
    await changeMeminfo(3);
    const cancel = new vscode.CancellationTokenSource();
    const done = prove(cancel.token);
    await until("QEMU", async () => (await working(QEMU)).length > 0);
    cancel.cancel();
    const outcomes = await done;
    assert.equal(outcomes.load, "skipped");
    await until("no QEMU", async () => (await working(QEMU)).length === 0);
  });

  it("cancelling stops the compiler", async () => {
    await changeMeminfo(4);
    const cancel = new vscode.CancellationTokenSource();
    const done = prove(cancel.token);
    await until("a compiler", async () => (await working(COMPILER)).length > 0);
    cancel.cancel();
    await done;
    await until("no compiler", async () => (await working(COMPILER)).length === 0);
    assert.deepEqual(await working(QEMU), []);
  });

  it("a refused patch makes the build red, with the reason", async () => {
    await replace(
      await show(MEMINFO),
      "static int __init proc_meminfo_init(void)\n{\n",
      "static int __init proc_meminfo_init(void)\n{\n\tcond_resched();\n",
    );
    const { trees } = await session();
    await until("the change", () => trees.main?.verdict === "unsafe");
    const outcomes = await prove();
    assert.equal(outcomes.build, "failed");
    assert.equal(outcomes.load, "skipped");
    assert.ok(trees.main?.review?.findings.some(({ rule }) => rule === "init-code"));
  });
});
