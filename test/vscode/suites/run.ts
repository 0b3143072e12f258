import { writeFileSync } from "node:fs";
import Mocha from "mocha";
import type { TestResult } from "../report.js";
import { stage } from "./on-stage.js";

/** Runs the suites in the extension host; the report is written at the end, whatever happens. */
export async function run(): Promise<void> {
  const mocha = new Mocha({
    ui: "bdd",
    timeout: 300_000,
    forbidOnly: true,
    forbidPending: true,
    slow: 60_000,
  });
  mocha.suite.emit("pre-require", globalThis, null, mocha);
  for (const load of SUITES[stage.suites]) await load();
  const tests: TestResult[] = [];
  await new Promise<void>((resolve) => {
    const runner = mocha.run(() => resolve());
    const note = (test: Mocha.Test, error?: Error) => {
      const title = test.fullTitle();
      console.log(`${error ? "FAILED" : "passed"} ${title}: ${error ?? ""}`);
      tests.push({
        title,
        milliseconds: test.duration ?? 0,
        ...(error && { error: error.stack ?? String(error) }),
      });
    };
    runner.on("pass", (test) => note(test));
    runner.on("fail", (test, error) => note(test as Mocha.Test, error));
  });
  writeFileSync(stage.report, JSON.stringify(tests));
  if (tests.length === 0 || tests.some(({ error }) => error !== undefined)) throw new Error("tests failed");
}

/** In this order: each leaves the tree as it found it. */
const SUITES = {
  trusted: [
    () => import("./activation.suite.js"),
    () => import("./editing.suite.js"),
    () => import("./proof.suite.js"),
    () => import("./server.suite.js"),
  ],
  untrusted: [() => import("./untrusted.suite.js")],
  guests: [() => import("./guests.suite.js")],
  newcomer: [() => import("./newcomer.suite.js")],
  screenshots: [() => import("./screenshots.suite.js")],
};
