import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  CancellationTokenSource,
  type CodeLens,
  type InlayHint,
  WorkDoneProgress,
} from "vscode-languageserver/node";
import { type Editor, type EditorStart, startEditor } from "./editor.js";
import { gitIn } from "./git.js";
import { type Bench, MEMINFO_TEST, pathWithout, privateBench, stockKernel } from "./kernel.js";
import { processesWith } from "./processes.js";

const WAIT = { timeout: 200_000, interval: 300 };
const FILE = "fs/proc/meminfo.c";

let kernel: KernelProfile;
let bench: Bench;
let root: string;
let text: string;
let editor: Editor;
beforeAll(async () => {
  kernel = await stockKernel();
  bench = await privateBench();
  // A clone of the kernel's repository, as far as these tests look at it.
  root = join(bench.folder, "linux");
  for (const path of ["Makefile", "Kbuild", "MAINTAINERS", FILE]) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await cp(join(kernel.source, path), join(root, path));
  }
  gitIn(root, "init", "--quiet");
  gitIn(root, "add", "--all");
  gitIn(root, "commit", "--quiet", "--message", "as it is");
  text = await readFile(join(root, FILE), "utf8");
}, 600_000);
afterEach(() => editor.kill());
afterAll(() => bench.remove());

async function open(shown: string, settings: Record<string, unknown> = {}, start: EditorStart = {}) {
  const env = { ...bench.env, ...start.env };
  editor = await startEditor([root], { ...start, env, settings: { kernel: kernel.id, ...settings } });
  return await editor.open(join(root, FILE), shown);
}

/** One more line in /proc/meminfo. */
const more = () =>
  text.replace(/^\tarch_report_meminfo\(m\);\n/m, '$&\tseq_puts(m, "HotPatched:            1\\n");\n');
/** In a function that the compiler makes part of others, or not. */
const inner = () => text.replace('seq_write(m, " kB\\n", 4);', 'seq_write(m, " KB\\n", 4);');

const lenses = async (uri: string) =>
  (await editor.request<CodeLens[]>("textDocument/codeLens", { textDocument: { uri } })).map(
    ({ command }) => command?.title,
  );

test("on save the objects are compared, and the editor shows what the compiler made of it", async () => {
  expect(inner()).not.toBe(text);
  const uri = await open(inner(), { objectWitness: "onSave" });
  await editor.until(uri, () => true);
  expect(await lenses(uri)).toEqual([
    expect.stringMatching(/^hot patch: [a-z-]+$/),
    "build",
    "prove in sandbox",
  ]);
  await editor.notify("textDocument/didSave", { textDocument: { uri } });
  await expect.poll(() => lenses(uri), WAIT).toContainEqual(expect.stringMatching(/carried|inlined/));
  const range = { start: { line: 0, character: 0 }, end: { line: 1000, character: 0 } };
  const hints = await editor.request<InlayHint[]>("textDocument/inlayHint", { textDocument: { uri }, range });
  const [said] = await lenses(uri);
  if (said?.includes("inlined"))
    expect(hints).toMatchObject([{ label: expect.stringMatching(/^inlined into \w/) }]);
  // What was said of another text is not said of this one.
  await editor.change(uri, inner().replace(" KB", " kb"));
  expect(await lenses(uri)).toContainEqual(expect.stringMatching(/^hot patch: [a-z-]+$/));
  // Taken back, it is what was compiled; and so it stays when another file is opened.
  await editor.change(uri, inner());
  await editor.until(await editor.open(join(root, "Kbuild")), () => true);
  expect(await lenses(uri)).toContainEqual(expect.stringMatching(/carried|inlined/));
}, 300_000);

test("what does not compile is shown at its line", async () => {
  const broken = text.replace("arch_report_meminfo(m);", "arch_report_meminfo(m, no_such_name);");
  const uri = await open(broken, { objectWitness: "onSave" });
  await editor.until(uri, () => true);
  await editor.notify("textDocument/didSave", { textDocument: { uri } });
  const found = await editor.untilRule(uri, "does-not-compile");
  expect(found.range.start.line).toBe(broken.split("\n").findIndex((line) => line.includes("no_such_name")));
}, 300_000);

test("build makes a module, and test proves it", async () => {
  const uri = await open(more());
  const command = (name: string, argument: object) =>
    editor.request("workspace/executeCommand", { command: name, arguments: [{ uri, ...argument }] });
  await expect(command("hotpatch.test", {})).rejects.toThrow(/no module .*build it first/);
  const review = await command("hotpatch.build", { output: join(bench.folder, "out") });
  expect(review).toMatchObject({
    verdict: "needs-review",
    module: { path: join(bench.folder, "out/patch.ko") },
  });
  const script = join(bench.folder, "meminfo.test.sh");
  await writeFile(script, MEMINFO_TEST);
  const report = await command("hotpatch.test", { tests: [script] });
  expect(report).toMatchObject({
    sandbox: { outcome: "finished" },
    module: { path: join(bench.folder, "out/patch.ko") },
  });
}, 400_000);

test("cancel stops the compiler", async () => {
  const uri = await open(text.replace(/^\tarch_report_meminfo\(m\);\n/m, "$&\tmsleep(1);\n"));
  const cancel = new CancellationTokenSource();
  editor.connection.onProgress(WorkDoneProgress.type, "build", (value) => {
    if (value.kind === "report" && /compiling/.test(value.message ?? "")) cancel.cancel();
  });
  const params = { command: "hotpatch.build", arguments: [{ uri }], workDoneToken: "build" };
  const built = editor.connection.sendRequest("workspace/executeCommand", params, cancel.token);
  await expect(built).rejects.toThrow(/interrupted/);
  await expect
    .poll(() => processesWith("XDG_CACHE_HOME", bench.env.XDG_CACHE_HOME ?? ""), WAIT)
    .toHaveLength(1);
}, 300_000);

test("without a compiler the command says so, and the findings stay", async () => {
  const path = await pathWithout(join(bench.folder, "bin"), /^(?:.*-)?(?:gcc|cc)(?:-\d+)?$/);
  const uri = await open(
    `${more()}\nstatic int more;\n`,
    { objectWitness: "onSave" },
    { env: { PATH: path } },
  );
  await editor.untilRule(uri, "data-added");
  const params = { command: "hotpatch.build", arguments: [{ uri }] };
  await expect(editor.request("workspace/executeCommand", params)).rejects.toThrow(
    /not installed.*hotpatch doctor/,
  );
  await editor.notify("textDocument/didSave", { textDocument: { uri } });
  await editor.until(
    uri,
    (shown, rules) =>
      rules.includes("data-added") && shown.some(({ message }) => /not installed/.test(String(message))),
  );
}, 300_000);

test("a tree without git is compared with the kernel's own source", async () => {
  const bare = join(bench.folder, "bare");
  await cp(root, bare, { recursive: true, filter: (path) => !path.includes("/.git") });
  editor = await startEditor([bare], { env: bench.env, settings: { kernel: kernel.id } });
  const uri = await editor.open(join(bare, FILE));
  expect(await editor.until(uri, () => true)).toEqual([]);
  await editor.change(uri, `${text}\nstatic int more;\n`);
  await editor.untilRule(uri, "data-added");
}, 120_000);
