import assert from "node:assert/strict";
import { changeMeminfo, MEMINFO, prove } from "./meminfo.js";
import { session, takeBackAfterEach } from "./on-stage.js";

describe("a proof", () => {
  takeBackAfterEach(MEMINFO);

  it("of the Test Explorer boots the kernel and turns green", async () => {
    await changeMeminfo(1);
    assert.deepEqual(await prove(), {
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
});
