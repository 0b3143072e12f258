import type { Reporter, TestModule } from "vitest/node";

/** Closes the run with one line that sums all suites: `N passed, N failed`, and how many were skipped if any were. */
export default class Tally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    // A file that does not even load has no tests, and is a failure all the same.
    const broken = modules.filter(
      (module) => module.state() === "failed" && module.errors().length > 0,
    ).length;
    const failed = count("failed") + broken + unhandledErrors.length;
    const skipped = count("skipped");
    process.stdout.write(
      `\n${count("passed")} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`,
    );
  }
}
