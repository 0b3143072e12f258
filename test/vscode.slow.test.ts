import { expect, test } from "vitest";
import { runSuites } from "./vscode/run-suites.js";

const { tests } = await runSuites();

test("the suites have run in a real VS Code", () => expect(tests.length).toBeGreaterThan(10));
for (const { title, error } of tests) test(title, () => expect(error).toBeUndefined());
