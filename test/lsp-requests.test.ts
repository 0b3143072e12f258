import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { smallTree } from "@kernel-hotpatch/server/tree/small-tree";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  type CodeAction,
  type CodeLens,
  type DocumentSymbol,
  type Hover,
  type InlayHint,
  type TextEdit,
  WorkDoneProgress,
  type WorkspaceSymbol,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { type Editor, type EditorStart, startEditor } from "./editor.js";
import { gitIn } from "./git.js";

// Each test starts a server of its own, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

const FOO = `#include <linux/init.h>

static DEFINE_STATIC_KEY_FALSE(fast);

int foo_limit = 3;

static int __init foo_init(void)
{
	return 0;
}

SYSCALL_DEFINE1(foo, int, a)
{
	return a;
}

int foo_use(int a)
{
	return a + foo_limit;
}
`;
const FILES = {
  ".config": "CONFIG_X86_64=y\nCONFIG_LIVEPATCH=y\nCONFIG_MODULES=y\nCONFIG_JUMP_LABEL=y\n",
  "kernel/Makefile": "obj-y += foo.o\nobj-m += mod.o\n",
  "kernel/foo.c": FOO,
  "kernel/mod.c": "static DEFINE_STATIC_KEY_FALSE(slow);\n\nint mod(void)\n{\n\treturn 0;\n}\n",
};

let folder: string;
let root: string;
let editor: Editor;
beforeEach(async () => {
  root = await realpath(await smallTree(FILES));
  folder = await realpath(await mkdtemp(join(tmpdir(), "hotpatch-lsp-")));
  gitIn(root, "init", "--quiet");
  gitIn(root, "add", "--all", "--force");
  gitIn(root, "commit", "--quiet", "--message", "as it is");
});
afterEach(async () => {
  await editor.kill();
  await rm(root, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function open(text: string, path = "kernel/foo.c", start: EditorStart = {}): Promise<string> {
  editor = await startEditor([root], { ...start, env: { XDG_CACHE_HOME: folder } });
  return await editor.open(join(root, path), text);
}

/** Places of a text: the whole line that holds some words. */
function lineOf(text: string, words: string) {
  const line = text.split("\n").findIndex((one) => one.includes(words));
  return { start: { line, character: 0 }, end: { line, character: 200 } };
}

async function actionsAt(uri: string, text: string, words: string): Promise<CodeAction[]> {
  const context = { diagnostics: [] };
  const range = lineOf(text, words);
  return await editor.request("textDocument/codeAction", { textDocument: { uri }, range, context });
}

function edited(uri: string, text: string, action: CodeAction | undefined): string {
  const edits: TextEdit[] = action?.edit?.changes?.[uri] ?? [];
  return TextDocument.applyEdits(TextDocument.create(uri, "c", 1, text), edits);
}

test("a rule's fix is an action, and takes the finding away", async () => {
  const text = FILES["kernel/mod.c"].replace(
    "\treturn 0;",
    "\tif (static_branch_unlikely(&slow))\n\t\treturn 1;\n\treturn 0;",
  );
  const uri = await open(text, "kernel/mod.c");
  await editor.untilRule(uri, "jump-label");
  const [fix, ignore] = await actionsAt(uri, text, "static_branch_unlikely");
  expect(fix).toMatchObject({ kind: "quickfix", isPreferred: true, diagnostics: [{ code: "jump-label" }] });
  const after = edited(uri, text, fix);
  expect(after).toContain("static_key_enabled(&slow)");
  expect(ignore?.title).toMatch(/^Ignore jump-label here/);
  const version = await editor.change(uri, after);
  await editor.until(uri, (_, rules) => !rules.includes("jump-label"), version);
});

test("an editor that knows versions is given the version that the edit is for", async () => {
  const text = FOO.replace("\treturn 0;", "\treturn 1;");
  const capabilities = { workspace: { workspaceEdit: { documentChanges: true } } };
  const uri = await open(text, "kernel/foo.c", { capabilities });
  await editor.untilRule(uri, "init-code");
  const [ignore] = await actionsAt(uri, text, "foo_init");
  expect(ignore?.edit?.documentChanges).toMatchObject([{ textDocument: { uri, version: 1 } }]);
});

test("ignoring asks for a reason, and with one the finding is a hint that says it", async () => {
  const text = FOO.replace("\treturn 0;", "\treturn 1;");
  const uri = await open(text);
  await editor.untilRule(uri, "init-code");
  const ignore = (await actionsAt(uri, text, "foo_init")).find(({ title }) => /init-code/.test(title));
  const asked = edited(uri, text, ignore);
  expect(asked).toContain("/* hotpatch-ignore: init-code */\nstatic int __init foo_init");
  await editor.change(uri, asked);
  await editor.untilRule(uri, "suppression-without-reason");
  const version = await editor.change(
    uri,
    asked.replace("init-code */", "init-code it only runs in tests */"),
  );
  await editor.until(
    uri,
    (shown, rules) =>
      !rules.includes("suppression-without-reason") &&
      shown.some(({ severity, message }) => severity === 4 && /it only runs in tests/.test(String(message))),
    version,
  );
});

test("ignoring a second rule in a place keeps the first", async () => {
  const reason = "/* hotpatch-ignore: static-data-changed nobody reads it */";
  const text = FOO.replace("int foo_limit = 3;", `${reason}\nint foo_limit = 4;`);
  const uri = await open(text);
  await editor.until(uri, (shown) => shown.some(({ severity }) => severity === 4));
  const more = text.replace("int foo_limit = 4;", "int foo_limit[2] = { 4 };");
  await editor.change(uri, more);
  const shown = await editor.until(uri, (all) => all.some(({ severity }) => severity !== 4));
  expect(shown.length).toBeGreaterThan(0);
  const actions = await actionsAt(uri, more, "foo_limit[2]");
  for (const action of actions.filter(({ title }) => /^Ignore/.test(title)))
    expect(edited(uri, more, action)).toMatch(/\{ 4 \}; \/\* hotpatch-ignore: \S+ \*\/\n/);
});

test("hover says why and what to do, and nothing where nothing is", async () => {
  const text = FOO.replace("\treturn 0;", "\treturn 1;");
  const uri = await open(text);
  await editor.untilRule(uri, "init-code");
  const at = { line: lineOf(text, "foo_init").start.line, character: 20 };
  const hover = await editor.request<Hover>("textDocument/hover", { textDocument: { uri }, position: at });
  expect(hover.contents).toMatchObject({
    kind: "markdown",
    value: expect.stringMatching(/foo_init`: unsafe[\s\S]*\[`init-code`\]\(file:[\s\S]*What to do:/),
  });
  const nowhere = { line: 0, character: 3 };
  expect(await editor.request("textDocument/hover", { textDocument: { uri }, position: nowhere })).toBeNull();
});

test("lenses stand above changed functions only", async () => {
  const text = FOO.replace("return a + foo_limit", "return foo_limit + a");
  const uri = await open(text);
  await editor.until(uri, () => true);
  const lenses = await editor.request<CodeLens[]>("textDocument/codeLens", { textDocument: { uri } });
  expect(lenses.map(({ command, range }) => [range.start.line, command?.title, command?.command])).toEqual([
    [lineOf(text, "int foo_use").start.line, expect.stringMatching(/^hot patch: /), "hotpatch.check"],
  ]);
  const range = { start: { line: 0, character: 0 }, end: { line: 100, character: 0 } };
  const hints = await editor.request<InlayHint[]>("textDocument/inlayHint", { textDocument: { uri }, range });
  expect(hints).toEqual([]);
});

test("symbols are those of the kernel's C", async () => {
  const uri = await open(FOO);
  await editor.until(uri, () => true);
  const symbols = await editor.request<DocumentSymbol[]>("textDocument/documentSymbol", {
    textDocument: { uri },
  });
  expect(symbols.map(({ name }) => name)).toEqual(["fast", "foo_limit", "foo_init", "sys_foo", "foo_use"]);
  const found = await editor.request<WorkspaceSymbol[]>("workspace/symbol", { query: "sysfo" });
  expect(found).toMatchObject([{ name: "sys_foo", location: { uri } }]);
  expect(await editor.request("workspace/symbol", { query: "[(*" })).toEqual([]);
});

test("check gives the review of what the editor shows", async () => {
  const uri = await open(FOO.replace("\treturn 0;", "\treturn 1;"));
  const review = await editor.request("workspace/executeCommand", {
    command: "hotpatch.check",
    arguments: [{ uri }],
  });
  expect(review).toMatchObject({
    schemaVersion: 1,
    verdict: "unsafe",
    patch: { files: ["kernel/foo.c"] },
    findings: expect.arrayContaining([expect.objectContaining({ rule: "init-code", file: "kernel/foo.c" })]),
  });
  // One tree is open: it is the one that is meant.
  const again = await editor.request("workspace/executeCommand", { command: "hotpatch.check" });
  expect(again).toEqual(review);
});

test("a command that cannot be done says why and what to do", async () => {
  const uri = await open(FOO);
  const command = (name: string, argument: unknown = { uri }) =>
    editor.request("workspace/executeCommand", { command: name, arguments: [argument] });
  await expect(command("hotpatch.check")).rejects.toThrow(/nothing differs from HEAD/);
  await editor.change(uri, FOO.replace("\treturn 0;", "\treturn 1;"));
  await expect(command("hotpatch.build")).rejects.toThrow(/no kernel was added .*hotpatch doctor/);
  await expect(command("hotpatch.review")).rejects.toMatchObject({ data: { code: "bad-input" } });
  await expect(command("hotpatch.test")).rejects.toThrow(/no kernel/);
  await expect(command("hotpatch.check", { uri: "file:///nowhere/a.c" })).rejects.toThrow(/no kernel tree/);
  await expect(command("hotpatch.frobnicate")).rejects.toThrow(/no command/);
  await expect(command("hotpatch.check", 3)).resolves.toMatchObject({ verdict: "unsafe" });
});

test("a command shows its progress, and is cancelled", async () => {
  const capabilities = { window: { workDoneProgress: true } };
  const uri = await open(FOO.replace("\treturn 0;", "\treturn 1;"), "kernel/foo.c", { capabilities });
  await editor.untilRule(uri, "init-code");
  const told: unknown[] = [];
  editor.connection.onProgress(WorkDoneProgress.type, "one", (value) => void told.push(value));
  const params = { command: "hotpatch.check", arguments: [{ uri }] };
  await editor.request("workspace/executeCommand", { ...params, workDoneToken: "one" });
  expect(told.at(0)).toMatchObject({ kind: "begin", cancellable: true });
  expect(told.at(-1)).toMatchObject({ kind: "end" });

  // What the server shows by itself, the person cancels where it is shown.
  editor.connection.onRequest("window/workDoneProgress/create", ({ token }: { token: string }) => {
    editor.connection.onProgress(WorkDoneProgress.type, token, ({ kind }) => {
      if (kind === "begin") void editor.notify("window/workDoneProgress/cancel", { token });
    });
    return null;
  });
  const many = Array.from({ length: 400 }, (_, at) => `int f${at}(void)\n{\n\treturn ${at};\n}\n`);
  await editor.change(uri, FOO + many.join("\n"));
  await expect(editor.request("workspace/executeCommand", params)).rejects.toThrow(/interrupted/);
});

test("a setting that names no kernel is told in the file", async () => {
  const uri = await open(FOO, "kernel/foo.c", { settings: { kernel: "debian/none" } });
  const [told] = await editor.until(uri, (shown) => shown.length > 0);
  expect(told).toMatchObject({ severity: 3, message: expect.stringMatching(/not analysed: .*debian\/none/) });
  await writeFile(join(root, "kernel/foo.c"), FOO);
  await editor.configure({});
  await editor.until(uri, (shown) => shown.length === 0);
});

test("a tree's state is asked for as a whole, and told when it may be another", async () => {
  const text = FOO.replace("\treturn 0;", "\treturn 1;");
  const capabilities = { experimental: { hotpatchTrees: true } };
  const uri = await open(FOO, "kernel/foo.c", { capabilities });
  const isTold = () =>
    new Promise<void>((resolve) => editor.connection.onNotification("hotpatch/treesChanged", resolve));
  let told = isTold();
  await editor.until(uri, () => true);
  await told;
  const state = { root: pathToFileURL(root).href, kernel: null, base: "HEAD", review: null };
  const trees = () => editor.request("hotpatch/trees", undefined);
  expect(await trees()).toEqual([{ ...state, verdict: null, files: [] }]);

  told = isTold();
  await editor.change(uri, text);
  await editor.untilRule(uri, "init-code");
  await told;
  expect(await trees()).toMatchObject([
    {
      ...state,
      verdict: "unsafe",
      files: [
        {
          path: "kernel/foo.c",
          isRead: true,
          functions: [{ name: "foo_init", line: 7, verdict: "unsafe", inlinedInto: [] }],
          findings: expect.arrayContaining([expect.objectContaining({ rule: "init-code" })]),
        },
      ],
    },
  ]);
});

test("a command may be about another kernel, which must have been added", async () => {
  const uri = await open(FOO.replace("\treturn 0;", "\treturn 1;"));
  const params = { command: "hotpatch.build", arguments: [{ uri, kernel: "debian/none" }] };
  await expect(editor.request("workspace/executeCommand", params)).rejects.toThrow(/debian\/none/);
});

test("a command waits for a tree that a change of settings opens anew meanwhile", async () => {
  const uri = await open(FOO.replace("\treturn 0;", "\treturn 1;"));
  const params = { command: "hotpatch.check", arguments: [{ uri }] };
  const review = editor.request("workspace/executeCommand", params);
  await editor.configure({});
  expect(await review).toMatchObject({ verdict: "unsafe" });
});
