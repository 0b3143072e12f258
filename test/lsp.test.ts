import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { smallTree } from "@kernel-hotpatch/server/tree/small-tree";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Editor, type EditorStart, startEditor } from "./editor.js";
import { gitIn } from "./git.js";

// Each test starts a server of its own, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

const FOO = `#include <linux/init.h>

struct foo {
	int a;
	long b;
};

static int __init foo_init(void)
{
	return 0;
}

static inline int foo_get(struct foo *f)
{
	return f->a;
}

int foo_use(struct foo *f)
{
	return foo_get(f);
}
`;
const FILES = {
  ".config": "CONFIG_X86_64=y\nCONFIG_LIVEPATCH=y\n",
  "kernel/Makefile": "obj-y += foo.o bar.o\n",
  "kernel/foo.c": FOO,
  "kernel/bar.c": "int foo_use(struct foo *f);\n\nint bar(struct foo *f)\n{\n\treturn foo_use(f);\n}\n",
};
/** What is typed: `__init` code that has run long ago. */
const EDITED = FOO.replace("\treturn 0;", "\treturn 1;");

const WAIT = { timeout: 20_000 };

let folder: string;
let root: string;
let editors: Editor[];
beforeEach(async () => {
  editors = [];
  root = await realpath(await smallTree(FILES));
  // A cache of its own: no kernel is there, the tree is judged by itself.
  folder = await realpath(await mkdtemp(join(tmpdir(), "hotpatch-lsp-")));
  git("init", "--quiet");
  commit();
});
afterEach(async () => {
  for (const editor of editors) await editor.kill();
  await rm(root, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const git = (...args: string[]) => gitIn(root, ...args);

function commit(): void {
  git("add", "--all", "--force");
  git("commit", "--quiet", "--message", "as it is");
}

async function edit(start: EditorStart = {}): Promise<Editor> {
  const editor = await startEditor([root], { ...start, env: { XDG_CACHE_HOME: folder, ...start.env } });
  editors.push(editor);
  return editor;
}

const foo = () => join(root, "kernel/foo.c");

test("a file is compared with HEAD while it is edited, and nothing is said of what is as it was", async () => {
  const editor = await edit();
  const uri = await editor.open(foo());
  expect(await editor.until(uri, () => true)).toEqual([]);

  await editor.change(uri, EDITED);
  const found = await editor.untilRule(uri, "init-code");
  expect(found).toMatchObject({ source: "hotpatch", severity: 1, range: { start: { line: 7 } } });
  expect(found.codeDescription?.href).toMatch(/^file:.*docs\/rules\/init-code\.md$/);

  await editor.change(uri, FOO);
  await editor.until(uri, (shown) => shown.length === 0);
  expect(await editor.stop()).toBe(0);
});

test("what the tree knows comes with the callers as related places", async () => {
  const editor = await edit();
  const text = FOO.replace("int foo_use(struct foo *f)", "int foo_use(struct foo *f, int more)");
  const uri = await editor.open(foo(), text);
  const found = await editor.untilRule(uri, "prototype-changed");
  expect(found.relatedInformation?.map(({ location }) => location.uri)).toContainEqual(
    expect.stringMatching(/kernel\/bar\.c$/),
  );
});

test("edits arrive as stretches, and what was edited meanwhile is judged once", async () => {
  const editor = await edit();
  const uri = await editor.open(foo());
  let version = 0;
  const line = FOO.split("\n").indexOf("\treturn 0;");
  for (const [at, text] of [..."if (1) "].entries()) {
    const place = { line, character: 1 + at };
    version = await editor.change(uri, [{ range: { start: place, end: place }, text }]);
  }
  await editor.until(uri, (_, rules) => rules.includes("init-code"), version);
});

test("a chosen commit is what files are compared with", async () => {
  await writeFile(foo(), EDITED);
  commit();
  const editor = await edit({ settings: { base: "HEAD~1" } });
  const uri = await editor.open(foo());
  await editor.untilRule(uri, "init-code");
  await editor.configure({ base: "HEAD" });
  await editor.until(uri, (shown) => shown.length === 0);
  await editor.configure({ base: "no-such-commit" });
  const [told] = await editor.until(uri, (shown) => shown.length === 1);
  expect(told).toMatchObject({ severity: 3, message: expect.stringContaining("no commit 'no-such-commit'") });
});

test("a commit made meanwhile is the base from then on", async () => {
  const editor = await edit();
  const uri = await editor.open(foo(), EDITED);
  await editor.untilRule(uri, "init-code");
  await writeFile(foo(), EDITED);
  commit();
  await editor.notify("textDocument/didSave", { textDocument: { uri } });
  await editor.until(uri, (shown) => shown.length === 0);
});

test("what other files change on disk counts", async () => {
  const editor = await edit();
  const bar = await editor.open(join(root, "kernel/bar.c"));
  await editor.until(bar, () => true);
  const text = FOO.replace("int foo_use(struct foo *f)", "int foo_use(struct foo *f, int more)");
  const uri = await editor.open(foo(), text);
  expect((await editor.untilRule(uri, "prototype-changed")).message).toMatch(/kernel\/bar\.c/);
  const adapted = FILES["kernel/bar.c"].replace("foo_use(f)", "foo_use(f, 1)").replace("*f);", "*f, int);");
  await writeFile(join(root, "kernel/bar.c"), adapted);
  await editor.notify("textDocument/didClose", { textDocument: { uri: bar } });
  await editor.until(uri, (shown) => shown.every(({ message }) => !/kernel\/bar\.c/.test(String(message))));
});

test("a clean file, half-typed code and a file of errors: the server goes on", async () => {
  const editor = await edit();
  const uri = await editor.open(foo());
  for (const text of ["", "{", "int f(", '"', "/*", "#if", "#if\n#else\n", "\0", EDITED.slice(0, 150)])
    await editor.change(uri, text);
  for (let length = 0; length < FOO.length; length += 7) await editor.change(uri, FOO.slice(0, length));
  const version = await editor.change(uri, EDITED);
  await editor.until(uri, (_, rules) => rules.includes("init-code"), version);
});

test("of a file of 10 MB one information is shown", async () => {
  const editor = await edit();
  const uri = await editor.open(foo(), `${FOO}${"int x;\n".repeat(1_500_000)}`);
  const shown = await editor.until(uri, (all) => all.length > 0);
  expect(shown).toMatchObject([{ severity: 3, message: expect.stringContaining("not analysed here") }]);
  await editor.change(uri, EDITED);
  await editor.untilRule(uri, "init-code");
});

test("files outside of a kernel tree, and documents that are no files, are left alone", async () => {
  const editor = await edit();
  await writeFile(join(folder, "a.c"), "int x;\n");
  const outside = await editor.open(join(folder, "a.c"));
  const textDocument = { uri: "untitled:Untitled-1", languageId: "c", version: 1, text: "int x;\n" };
  await editor.notify("textDocument/didOpen", { textDocument });
  await editor.change(outside, "int y;\n");
  const uri = await editor.open(foo(), EDITED);
  await editor.untilRule(uri, "init-code");
  expect([...editor.shown(outside), ...editor.shown("untitled:Untitled-1")]).toEqual([]);
});

test("a file, and then the whole tree, are deleted under us", async () => {
  const editor = await edit();
  const uri = await editor.open(foo(), EDITED);
  await editor.untilRule(uri, "init-code");
  await rm(foo());
  await editor.notify("textDocument/didSave", { textDocument: { uri } });
  await editor.change(uri, FOO);
  await editor.until(uri, (shown) => shown.length === 0);
  await rm(root, { recursive: true });
  const version = await editor.change(uri, EDITED);
  await editor.until(uri, (_, rules) => rules.includes("init-code"), version);
  expect(await editor.stop()).toBe(0);
});

test("in the middle of a rebase with conflicts, what is open is judged", async () => {
  git("checkout", "--quiet", "-b", "other");
  await writeFile(foo(), FOO.replace("f->a", "f->b"));
  commit();
  git("checkout", "--quiet", "-");
  await writeFile(foo(), FOO.replace("f->a", "f->a + 1"));
  commit();
  expect(() => git("rebase", "--quiet", "other")).toThrow();
  const editor = await edit();
  const changed = `${FILES["kernel/bar.c"]}\nstatic int more;\n`;
  const bar = await editor.open(join(root, "kernel/bar.c"), changed);
  await editor.untilRule(bar, "data-added");
  const uri = await editor.open(foo());
  await editor.untilRule(uri, "unread-source");
  expect(await editor.stop()).toBe(0);
});

test("without git, without a kernel, there is nothing to compare with, and it is logged", async () => {
  await rm(join(root, ".git"), { recursive: true });
  const editor = await edit();
  const uri = await editor.open(foo(), EDITED);
  await editor.change(uri, FOO);
  await expect.poll(() => editor.log.join("\n"), WAIT).toMatch(/nothing to compare with/);
  expect(await editor.stop()).toBe(0);
  expect(editor.shown(uri)).toEqual([]);
});

test("a tree that may only be read", async () => {
  for (const path of ["kernel", "."]) await chmod(join(root, path), 0o555);
  const editor = await edit();
  const uri = await editor.open(foo(), EDITED);
  await editor.untilRule(uri, "init-code");
  for (const path of [".", "kernel"]) await chmod(join(root, path), 0o755);
});

test("two trees at once, each with its own changes", async () => {
  const other = join(folder, "second");
  for (const [path, text] of Object.entries({
    ...FILES,
    Kbuild: "",
    MAINTAINERS: "",
    Makefile: "VERSION = 6\nPATCHLEVEL = 2\n",
  })) {
    await mkdir(dirname(join(other, path)), { recursive: true });
    await writeFile(join(other, path), text);
  }
  const first = root;
  root = other;
  git("init", "--quiet");
  commit();
  root = first;
  const editor = await edit();
  const [one, two] = [
    await editor.open(foo(), EDITED),
    await editor.open(join(other, "kernel/foo.c"), EDITED),
  ];
  await editor.untilRule(one, "init-code");
  await editor.untilRule(two, "init-code");
  await editor.notify("textDocument/didClose", { textDocument: { uri: one } });
  await editor.until(one, (shown) => shown.length === 0);
  const version = await editor.change(two, FOO);
  await editor.until(two, (shown) => shown.length === 0, version);
});

test("an editor that pulls is given what there is, and told when there is more", async () => {
  const editor = await edit({
    capabilities: {
      textDocument: { diagnostic: {} },
      workspace: { diagnostics: { refreshSupport: true } },
    },
  });
  let refreshed = 0;
  editor.connection.onRequest("workspace/diagnostic/refresh", () => {
    refreshed++;
    return null;
  });
  const uri = await editor.open(foo(), EDITED);
  const pull = () =>
    editor.request<{ kind: string; items: { code: string }[] }>("textDocument/diagnostic", {
      textDocument: { uri },
    });
  const report = await pull();
  expect(report.kind).toBe("full");
  expect(report.items.map(({ code }) => code)).toContain("init-code");
  await editor.change(uri, FOO);
  expect((await pull()).items).toEqual([]);
  expect(editor.shown(uri)).toEqual([]);
  await expect.poll(() => refreshed, WAIT).toBeGreaterThan(0);
});

test("an editor that dies takes the server with it", async () => {
  const editor = await edit();
  const uri = await editor.open(foo(), EDITED);
  await editor.untilRule(uri, "init-code");
  editor.server.stdin.end();
  expect(await editor.ended).toBe(1);
});

test("a signal ends the server", async () => {
  const editor = await edit();
  expect(await editor.kill()).toBe(130);
});

test("a signal ends a server that is still starting", async () => {
  const editor = new Editor({});
  await expect.poll(() => handlesSignals(editor.server.pid), { ...WAIT, interval: 5 }).toBe(true);
  expect(await editor.kill()).toBe(130);
});

/**
 * Whether a server of ours handles signals by now: each has a bit (proc_pid_status(5), SigCgt). SIGTERM would tell
 * nothing: Node handles it from the start, until we do.
 */
async function handlesSignals(pid = 0): Promise<boolean> {
  // Until the new program is there, what the parent handles is shown.
  if (!(await readFile(`/proc/${pid}/cmdline`, "latin1")).includes("--stdio")) return false;
  const [, caught = "0"] = /^SigCgt:\s*(\w+)/m.exec(await readFile(`/proc/${pid}/status`, "latin1")) ?? [];
  return ((BigInt(`0x${caught}`) >> BigInt(constants.signals.SIGHUP - 1)) & 1n) === 1n;
}
