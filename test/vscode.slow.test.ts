import { expect, test } from "vitest";
import { runSuites } from "./vscode/run-suites.js";
import { NotFetched, vscodeServer } from "./vscode/workbench.js";

const lacking = await vscodeServer().then(
  () => undefined,
  (error: unknown) => {
    if (error instanceof NotFetched) return error.message;
    throw error;
  },
);

if (lacking !== undefined) test.skip(`the suites in VS Code: ${lacking}`, () => undefined);
else {
  const results = await runSuites(["trusted", "untrusted"]);
  test("the suites have run in a real VS Code", () => expect(results.length).toBeGreaterThan(10));
  for (const { title, error } of results) test(title, () => expect(error).toBeUndefined());
}
