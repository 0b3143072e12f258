import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { BUILD_LIMITS, type PatchLimits } from "@kernel-hotpatch/kernel/build/patch-limits";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import {
  commitsOf,
  GIT,
  NOTHING_CHANGED,
  nothingFiltered,
  PLAIN_DIFF,
  parseRange,
  type Range,
  requireRepository,
  SINCE_HEAD,
} from "../repository/git.js";
import { cannotRead } from "./cannot-read.js";

/** One patch, read; a `PatchFile` of the kernel room. */
export interface NamedPatch {
  /** For messages: the file, `standard input`, the range, or `changes since HEAD`. */
  readonly name: string;
  readonly text: Buffer;
  /** Path of the patch; absent when it is no file. */
  readonly file?: string;
}

/**
 * Reads what the command line calls PATCH: files, `-`, git ranges `A..B`, or, when nothing is named, what the
 * working tree in the current folder has changed since HEAD.
 * @param limits `bytes` of them hold for each patch; no more is read
 * @returns the patches in the order named
 * @throws Fault `bad-input` for a file that cannot be read, is empty or too large, a range git does not know, or no
 *   change at all
 */
export async function readPatches(
  work: Work,
  named: readonly string[],
  { bytes: limit }: Pick<PatchLimits, "bytes"> = BUILD_LIMITS,
): Promise<NamedPatch[]> {
  if (named.length === 0) return [await workingTreePatch(work, limit)];
  if (named.filter((argument) => argument === "-").length > 1)
    throw new Fault("bad-input", "standard input can be read only once");
  const patches: NamedPatch[] = [];
  for (const argument of named) patches.push(await readPatch(work, argument, limit));
  return patches;
}

async function readPatch(work: Work, argument: string, limit: number): Promise<NamedPatch> {
  if (argument === "-") {
    const name = "standard input";
    return notEmpty({ name, text: await readAll(work, process.stdin, name, limit) });
  }
  const kind = await stat(argument).catch((error: NodeJS.ErrnoException) => error);
  if (kind instanceof Error) {
    const range = kind.code === "ENOENT" ? parseRange(argument) : undefined;
    if (range) return rangePatch(work, argument, range, limit);
    throw cannotRead(argument, kind);
  }
  if (kind.isFile() && kind.size > limit) throw tooLarge(argument, limit);
  if (kind.isDirectory()) throw new Fault("bad-input", `${argument} is a folder, not a patch`);
  const text = kind.isFile()
    ? await readAll(work, createReadStream(argument), argument, limit)
    : // Opening or reading a pipe may block a thread of ours for ever; a program can be killed.
      await outputOf(work, ["cat", "--", argument], argument, limit);
  return notEmpty({ name: argument, text, file: argument });
}

function notEmpty(patch: NamedPatch): NamedPatch {
  if (patch.text.length === 0) throw new Fault("bad-input", `${patch.name} is empty`);
  return patch;
}

/** The range of commits that an argument names, when it is no file; undefined when it is none. */
export async function rangeNamed(argument: string): Promise<Range | undefined> {
  const isFile = await stat(argument).then(
    () => true,
    () => false,
  );
  return isFile ? undefined : parseRange(argument);
}

async function rangePatch(work: Work, argument: string, range: Range, limit: number): Promise<NamedPatch> {
  await requireRepository(work, `no file ${argument}, and the current folder is not in a git repository`);
  const text = await gitDiff(work, await commitsOf(work, range), limit);
  if (text.length === 0) throw new Fault("bad-input", `nothing differs in ${argument}`);
  return { name: argument, text };
}

async function workingTreePatch(work: Work, limit: number): Promise<NamedPatch> {
  await requireRepository(work, "no patch named, and the current folder is not in a git repository");
  const text = await gitDiff(work, "HEAD", limit);
  if (text.length === 0) throw new Fault("bad-input", NOTHING_CHANGED);
  return { name: SINCE_HEAD, text };
}

async function gitDiff(work: Work, revisions: string, limit: number): Promise<Buffer> {
  const argv = [...GIT, "diff", ...PLAIN_DIFF, "--unified=3", revisions, "--"] as const;
  return outputOf(work, argv, revisions, limit, await nothingFiltered(work));
}

async function outputOf(
  work: Work,
  argv: readonly [string, ...string[]],
  name: string,
  limit: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const full = new AbortController();
  let size = 0;
  const onOutput = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) full.abort();
  };
  const failure = { code: "bad-input" as const, message: `cannot read ${name}` };
  await runOk({ signal: AbortSignal.any([work.signal, full.signal]) }, argv, {
    onOutput,
    failure,
    env,
  }).catch((error: unknown) => {
    throw full.signal.aborted ? tooLarge(name, limit) : error;
  });
  return Buffer.concat(chunks);
}

async function readAll(work: Work, stream: Readable, name: string, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of addAbortSignal(work.signal, stream)) {
    size += chunk.length;
    if (size > limit) throw tooLarge(name, limit);
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

function tooLarge(name: string, limit: number): Fault {
  return new Fault("bad-input", `${name} is larger than ${limit / 1024 / 1024} MiB: that is no hot patch`);
}
