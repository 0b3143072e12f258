import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bench, privateBench, stockKernel } from "../kernel.js";
import { startEditor } from "./editor.js";
import { type Packed, packExtension } from "./pack.js";
import type { Report, TestResult } from "./report.js";
import { type Stage, type Suites, setStage, settingsFor } from "./stage.js";

/** Milliseconds that all suites may take; they take a quarter of it on a quiet machine. */
const PATIENCE = 600_000;

/**
 * Installs the packed extension into a real VS Code and runs the suites there: in a workspace that is trusted, and in one
 * that is not.
 * @param only a pattern for the titles of tests
 * @returns their report
 * @throws Error when there is none: an exit code of 0 alone proves nothing
 */
export async function runSuites(only?: string): Promise<Report> {
  const packed = await packExtension();
  const tests: TestResult[] = [];
  for (const suites of ["trusted", "untrusted"] as const)
    tests.push(...(await runIn(packed, suites, only === undefined ? {} : { only })).tests);
  return { tests };
}

/** Has pictures taken of all views. @param folder where they go */
export async function takeScreenshots(folder: string): Promise<Report> {
  await mkdir(folder, { recursive: true });
  return await runIn(await packExtension(), "screenshots", { screenshots: folder });
}

async function runIn(
  packed: Packed,
  suites: Suites,
  options: Pick<Stage, "only" | "screenshots">,
): Promise<Report> {
  const kernel = await stockKernel();
  const bench: Bench = await privateBench();
  try {
    const { stage, workspace } = await setStage(bench, kernel, suites);
    let end = (_: number | string) => {};
    const ended = new Promise<number | string>((resolve) => {
      end = resolve;
    });
    const lines: string[] = [];
    const editor = await startEditor(
      {
        folder: join(bench.folder, "editor"),
        workspace,
        extensions: [packed.vsix],
        env: { ...bench.env, HOTPATCH_STAGE: JSON.stringify({ ...stage, ...options }) },
        settings: settingsFor(kernel.id),
        isTrusted: suites !== "untrusted",
      },
      {
        extensionDevelopmentPath: packed.host,
        extensionTestsPath: packed.suites,
        onLog: (line) => {
          lines.push(line);
          if (process.env.HOTPATCH_DEBUG) console.log(line);
          const [, path] = /screenshot (\/.*\.png)/.exec(line) ?? [];
          if (path) void editor.page.screenshot({ path });
        },
        onExit: (code) => end(code),
      },
    );
    const timer = setTimeout(() => end("they did not end"), PATIENCE);
    try {
      const how = await ended;
      const text = await readFile(stage.report, "utf8").catch(() => undefined);
      if (text !== undefined) return JSON.parse(text);
      throw new Error(
        `no report of the ${suites} suites (${how}):\n${[...lines, ...editor.log].slice(-60).join("\n")}`,
      );
    } finally {
      clearTimeout(timer);
      await editor.stop();
    }
  } finally {
    await bench.remove();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [first, folder] = process.argv.slice(2);
  const { tests } =
    first === "--screenshots"
      ? await takeScreenshots(resolve(folder ?? "screenshots"))
      : await runSuites(first);
  for (const { title, error, milliseconds } of tests)
    console.log(
      `${error === undefined ? "passed" : "FAILED"}  ${title} (${milliseconds} ms)${error ? `\n${error}` : ""}`,
    );
  process.exitCode = tests.some(({ error }) => error !== undefined) || tests.length === 0 ? 1 : 0;
}
