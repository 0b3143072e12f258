import assert from "node:assert/strict";
import type { DoctorReport } from "@kernel-hotpatch/server/doctor/report";
import type { Review } from "@kernel-hotpatch/server/review/review";
import * as vscode from "vscode";
import { extension, session, until } from "./on-stage.js";

const perform = async <Answer>(command: string) =>
  await vscode.commands.executeCommand<Answer | undefined>(command);

describe("a newcomer", () => {
  it("gets from an empty window to a proven patch by the walkthrough", async () => {
    const [{ steps }] = extension().packageJSON.contributes.walkthroughs;
    const commands = steps.map(
      ({ description }: { description: string }) => /\(command:([\w.]+)\)$/.exec(description)?.[1],
    );
    assert.deepEqual(commands, [
      "hotpatch.doctor",
      "hotpatch.pickKernel",
      "hotpatch.openSample",
      "hotpatch.review",
      "hotpatch.showPicture",
    ]);
    const report = await perform<DoctorReport>("hotpatch.doctor");
    assert.ok(report?.ready, JSON.stringify(report?.requirements));

    let kernel: string | undefined;
    const picked = perform<string>("hotpatch.pickKernel").then((answer) => {
      kernel = answer;
      return true;
    });
    // The first is one that is here; it takes a moment until it is listed.
    await until("a choice", async () => {
      await perform("workbench.action.acceptSelectedQuickOpenItem");
      return kernel;
    });
    await picked;

    assert.match((await perform<string>("hotpatch.openSample")) ?? "", /meminfo\.c$/);
    const { status, trees, tests, picture } = await session();
    await until("the kernel chosen", () => kernel !== undefined && status.text.includes(kernel));
    const review = await perform<Review>("hotpatch.review");
    assert.equal(review?.verdict, "safe");
    assert.equal(trees.main?.review?.sandbox?.outcome, "finished");
    assert.equal(tests.outcomes.get("test loaded: meminfo"), "passed");
    await perform("hotpatch.showPicture");
    assert.match(picture.html ?? "", /meminfo_proc_show/);
  });
});
