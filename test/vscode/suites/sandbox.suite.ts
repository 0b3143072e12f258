import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import { replace, session, show, stage, takeBack, textOf, until, working } from "./on-stage.js";

const MEMINFO = "fs/proc/meminfo.c";
const LINE = "\tarch_report_meminfo(m);\n";
const QEMU = /^\S*qemu-system/;
const COMPILER = /\bcc1\b|^\S*gcc/;

describe("the sandbox", () => {
  let text = "";
  before(async () => {
    text = await textOf(MEMINFO);
  });
  afterEach(() => takeBack({ [MEMINFO]: text }));

  const change = async (number: number) => {
    await replace(
      await show(MEMINFO),
      LINE,
      `${LINE}\tseq_puts(m, "HotPatched:            ${number}\\n");\n`,
    );
    const { trees } = await session();
    await until("the change", () => trees.main?.verdict !== null && trees.main !== undefined);
  };
  const prove = async (token = new vscode.CancellationTokenSource().token) => {
    const { tests } = await session();
    await tests.runAll(token);
    return Object.fromEntries(tests.outcomes);
  };

  it("a run of the Test Explorer boots the kernel and turns green", async () => {
    await change(1);
    const outcomes = await prove();
    assert.deepEqual(outcomes, {
      build: "passed",
      "test before: meminfo": "passed",
      load: "passed",
      transition: "passed",
      "test loaded: meminfo": "passed",
      "cycle 2 of 2": "passed",
      disable: "passed",
      unload: "passed",
      "test after: meminfo": "passed",
    });
    const { trees, status } = await session();
    assert.equal(trees.main?.review?.sandbox?.outcome, "finished");
    assert.match(status.text, /hot patch: safe/);
  });

  it("a patch whose test fails turns red", async () => {
    await change(2);
    const outcomes = await prove();
    assert.equal(outcomes["test loaded: meminfo"], "failed");
    assert.equal(outcomes.load, "passed");
  });

  it("cancelling stops the guest", async () => {
    await change(3);
    const cancel = new vscode.CancellationTokenSource();
    const done = prove(cancel.token);
    await until("QEMU", () => working(QEMU).length > 0, 100);
    cancel.cancel();
    const outcomes = await done;
    assert.equal(outcomes.load, "skipped");
    await until("no QEMU", () => working(QEMU).length === 0);
  });

  it("cancelling stops the compiler", async () => {
    // What was compiled before is kept.
    await change(4);
    const cancel = new vscode.CancellationTokenSource();
    const done = prove(cancel.token);
    await until("a compiler", () => working(COMPILER).length > 0);
    cancel.cancel();
    await done;
    await until("no compiler", () => working(COMPILER).length === 0);
    assert.equal(working(QEMU).length, 0);
  });

  it("a refused patch makes the build red, with the reason", async () => {
    writeFileSync(join(stage.linux, "hotpatch/meminfo.test.sh"), "exit 0\n");
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
  });
});
