import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { privateBench, stockKernel } from "../kernel.js";
import { startEditor } from "./editor.js";
import { packExtension } from "./pack.js";
import type { TestResult } from "./report.js";
import { type Suites, setStage, settingsFor } from "./stage.js";

const ALL: readonly Suites[] = ["trusted", "untrusted", "guests", "newcomer"];

/** Milliseconds that suites may take; they take a tenth of it on a quiet machine. */
const PATIENCE = 1_200_000;

/**
 * Runs suites in a real VS Code, with the extension installed from its package: in its server, extension host and
 * workbench, and a browser.
 * @param screenshots folder for pictures
 * @returns every test's result
 * @throws Error when there is none: an exit code of 0 alone proves nothing
 */
export async function runSuites(suites: readonly Suites[], screenshots?: string): Promise<TestResult[]> {
  const packed = await packExtension();
  const kernel = await stockKernel();
  const results: TestResult[] = [];
  for (const name of suites) {
    const bench = await privateBench();
    try {
      const { stage, workspace } = await setStage(bench, kernel, name);
      const lines: string[] = [];
      let end: (code: number) => void = () => undefined;
      const exited = new Promise<number>((resolve) => {
        end = resolve;
      });
      const editor = await startEditor(
        {
          folder: join(bench.folder, "editor"),
          workspace,
          extensions: [packed.vsix],
          env: { ...bench.env, HOTPATCH_STAGE: JSON.stringify({ ...stage, screenshots }) },
          settings: settingsFor(name, kernel.id),
          isTrusted: name !== "untrusted" && name !== "newcomer",
        },
        {
          extensionDevelopmentPath: packed.host,
          extensionTestsPath: packed.suites,
          onLog: (line) => {
            lines.push(line);
            if (process.env.HOTPATCH_DEBUG) console.log(line);
            const [, path] = /^screenshot (\/.*\.png)$/.exec(line) ?? [];
            if (path) void editor.page.screenshot({ path });
            const [, key] = /^press (\w+)$/.exec(line) ?? [];
            if (key) void editor.page.keyboard.press(key);
          },
          onExit: (code) => end(code),
        },
      );
      const late = setTimeout(() => end(-1), PATIENCE);
      const code = await exited;
      clearTimeout(late);
      await editor.stop();
      const report = await readFile(stage.report, "utf8").catch(() => undefined);
      if (report === undefined)
        throw new Error(`no report from VS Code (${code}):\n${[...lines, ...editor.log].join("\n")}`);
      results.push(...JSON.parse(report));
    } finally {
      await bench.remove();
    }
  }
  return results;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = { screenshots: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const { screenshots } = values;
  if (screenshots !== undefined) await mkdir(screenshots, { recursive: true });
  const results =
    screenshots === undefined
      ? await runSuites(ALL.filter((name) => positionals.length === 0 || positionals.includes(name)))
      : await runSuites(["screenshots"], resolve(screenshots));
  for (const { title, error, milliseconds } of results)
    console.log(
      `${error === undefined ? "passed" : "FAILED"}  ${title} (${milliseconds} ms)${error ? `\n${error}` : ""}`,
    );
  process.exitCode = results.length > 0 && results.every(({ error }) => error === undefined) ? 0 : 1;
}
