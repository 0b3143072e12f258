import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { run, runOk } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { cannotRead } from "./cannot-read.js";

/** One patch, read; a `PatchFile` of the kernel room. */
export interface NamedPatch {
  /** For messages: the file, `standard input`, the range, or `changes since HEAD`. */
  readonly name: string;
  readonly text: Buffer;
  /** Path of the patch; absent when it is no file. */
  readonly file?: string;
}

/** Far above any hot patch, far below what would trouble us. */
const LIMIT = 8 * 1024 * 1024;

/** No configuration of the user's, the system's or the repository's may run programs or change the form. */
const GIT = [
  "git",
  "-c",
  "core.fsmonitor=false",
  "-c",
  "core.quotePath=true",
  "--no-optional-locks",
] as const;
const DIFF = [
  "diff",
  "--no-ext-diff",
  "--no-textconv",
  "--no-color",
  "--no-renames",
  "--no-relative",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  "--unified=3",
] as const;

/**
 * Reads what the command line calls PATCH: files, `-`, git ranges `A..B`, or, when nothing is named, what the
 * working tree in the current folder has changed since HEAD.
 * @returns the patches in the order named
 * @throws Fault `bad-input` for a file that cannot be read, is empty or too large, a range git does not know, or no
 *   change at all
 */
export async function readPatches(work: Work, named: readonly string[]): Promise<NamedPatch[]> {
  if (named.length === 0) return [await workingTreePatch(work)];
  if (named.filter((argument) => argument === "-").length > 1)
    throw new Fault("bad-input", "standard input can be read only once");
  const patches: NamedPatch[] = [];
  for (const argument of named) patches.push(await readPatch(work, argument));
  return patches;
}

async function readPatch(work: Work, argument: string): Promise<NamedPatch> {
  if (argument === "-") {
    const name = "standard input";
    return notEmpty({ name, text: await readAll(work, process.stdin, name) });
  }
  const kind = await stat(argument).catch((error: NodeJS.ErrnoException) => error);
  if (kind instanceof Error) {
    const range = kind.code === "ENOENT" ? parseRange(argument) : undefined;
    if (range) return rangePatch(work, argument, range);
    throw cannotRead(argument, kind);
  }
  if (kind.isDirectory()) throw new Fault("bad-input", `${argument} is a folder, not a patch`);
  const text = kind.isFile()
    ? await readAll(work, createReadStream(argument), argument)
    : // Opening or reading a pipe may block a thread of ours for ever; a program can be killed.
      await outputOf(work, ["cat", "--", argument], argument);
  return notEmpty({ name: argument, text, file: argument });
}

function notEmpty(patch: NamedPatch): NamedPatch {
  if (patch.text.length === 0) throw new Fault("bad-input", `${patch.name} is empty`);
  return patch;
}

/** `A..B` or `A...B` of names git could know (git-check-ref-format); an empty B is HEAD. */
function parseRange(argument: string): { from: string; dots: string; to: string } | undefined {
  const [, from, dots, to] = /^([^.]\S*?)(\.{2,3})([^.]\S*)?$/.exec(argument) ?? [];
  if (!from || !dots || from.startsWith("-") || from.endsWith("/") || to?.startsWith("/")) return undefined;
  return { from, dots, to: to ?? "HEAD" };
}

async function rangePatch(
  work: Work,
  argument: string,
  range: { from: string; dots: string; to: string },
): Promise<NamedPatch> {
  await requireRepository(work, `no file ${argument}, and the current folder is not in a git repository`);
  const from = await commitOf(work, range.from);
  const to = await commitOf(work, range.to);
  const text = await gitDiff(work, `${from}${range.dots}${to}`);
  if (text.length === 0) throw new Fault("bad-input", `nothing differs in ${argument}`);
  return { name: argument, text };
}

async function workingTreePatch(work: Work): Promise<NamedPatch> {
  await requireRepository(work, "no patch named, and the current folder is not in a git repository");
  const text = await gitDiff(work, "HEAD");
  if (text.length === 0)
    throw new Fault("bad-input", "nothing has changed since HEAD: there is no patch to look at");
  return { name: "changes since HEAD", text };
}

async function requireRepository(work: Work, message: string): Promise<void> {
  const found = await run(work, [...GIT, "rev-parse", "--git-dir"]);
  if (found.status !== 0) throw new Fault("bad-input", message, { detail: found.stderr });
}

async function commitOf(work: Work, name: string): Promise<string> {
  const found = await run(work, [
    ...GIT,
    "rev-parse",
    "--verify",
    "--quiet",
    "--end-of-options",
    `${name}^{commit}`,
  ]);
  if (found.status !== 0) throw new Fault("bad-input", `git knows no commit '${name}'`);
  return found.stdout.trim();
}

async function gitDiff(work: Work, revisions: string): Promise<Buffer> {
  return outputOf(work, [...GIT, ...DIFF, revisions, "--"], revisions);
}

async function outputOf(work: Work, argv: readonly [string, ...string[]], name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const full = new AbortController();
  let size = 0;
  const onOutput = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > LIMIT) full.abort();
  };
  const failure = { code: "bad-input" as const, message: `cannot read ${name}` };
  await runOk({ signal: AbortSignal.any([work.signal, full.signal]) }, argv, { onOutput, failure }).catch(
    (error: unknown) => {
      throw full.signal.aborted ? tooLarge(name) : error;
    },
  );
  return Buffer.concat(chunks);
}

async function readAll(work: Work, stream: Readable, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of addAbortSignal(work.signal, stream)) {
    size += chunk.length;
    if (size > LIMIT) throw tooLarge(name);
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

function tooLarge(name: string): Fault {
  return new Fault("bad-input", `${name} is larger than ${LIMIT / 1024 / 1024} MiB: that is no hot patch`);
}
