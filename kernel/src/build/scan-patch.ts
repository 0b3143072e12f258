import { Fault } from "../host/fault.js";

/** One file as a patch names it; `before` or `after` is absent when the patch adds or deletes it. */
export interface NamedFile {
  readonly before?: string;
  readonly after?: string;
}

/** What a patch does to one file. */
export interface PatchSection {
  readonly file: NamedFile;
  readonly hunks: readonly PatchHunk[];
}

export interface PatchHunk {
  /** Where its text before is meant to stand: counts from 1; the line in front of it when that text is empty. */
  readonly start: number;
  /** With their leading ' ', '+', '-' or '\\'. */
  readonly lines: readonly string[];
}

/** A patch that was read and judged, not applied. */
export interface ScannedPatch {
  /** In the order of the patch; a file may occur several times. */
  readonly sections: readonly PatchSection[];
  /** What stands around the diffs: a mail's subject and message, statistics, signature. */
  readonly description: string;
}

/** Git's file modes that are no regular file. */
const SPECIAL_MODES: Readonly<Record<string, string>> = {
  "120000": "a symbolic link",
  "160000": "a submodule",
};
const BUILD_OUTPUT =
  /(?:^|\/)(?:include\/(?:generated|config)\/|\.tmp_|\.config$|Module\.symvers$|vmlinux$|System\.map$)|\.(?:o|a|ko|cmd|mod|mod\.c|order|symvers)$/;
const HUNK = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

/**
 * Reads a unified diff, without touching anything, and judges it as hostile input.
 * Understands what `diff -u`, `git diff` and `git format-patch` write.
 * @param name of the patch, for messages
 * @param text the patch, one character a byte (latin1)
 * @returns files and hunks, the leading `a/` and `b/` of paths removed
 * @throws Fault `bad-input` for anything that is no plain change to regular files of the tree
 */
export function scanPatch(name: string, text: string): ScannedPatch {
  if (text.includes("\0")) throw new Fault("bad-input", `${name} is a binary file, not a patch`);
  const lines = text.split("\n");
  const refuse = (index: number, reason: string, remedy = "") =>
    new Fault("bad-input", `${name}:${index + 1}: ${reason}`, { remedy });
  const path = (index: number, written: string): string => {
    if (written.endsWith("\r")) throw carriageReturn(index, refuse);
    const problem = pathProblem(written);
    if (problem) throw refuse(index, problem);
    return written.slice(written.indexOf("/") + 1);
  };

  const sections: { file: NamedFile; hunks: PatchHunk[] }[] = [];
  const description: string[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    if (line.startsWith("diff --git ")) {
      const section = readGitHeader(lines, index, path, refuse);
      sections.push({ file: section.file, hunks: [] });
      index = section.end - 1;
    } else if (isTraditionalHeader(lines, index)) {
      sections.push({ file: readTraditionalHeader(lines, index, path), hunks: [] });
      index++;
    } else if (HUNK.test(line)) {
      const section = sections.at(-1);
      if (!section) throw refuse(index, "a hunk that belongs to no file");
      const end = endOfHunk(lines, index, refuse);
      section.hunks.push({ start: Number(HUNK.exec(line)?.[1]), lines: lines.slice(index + 1, end) });
      index = end - 1;
    } else if (/^Binary files .* differ\r?$/.test(line)) {
      throw refuse(index, "the patch changes a binary file");
    } else description.push(line);
  }
  if (sections.length === 0)
    throw new Fault("bad-input", `${name} holds no change`, {
      remedy: /^Content-Transfer-Encoding: *(?:base64|quoted-printable)/im.test(text)
        ? "this mail is encoded; save it with 'git format-patch' or 'b4 am'"
        : "give a unified diff, as 'git diff' prints it",
    });
  return { sections, description: description.join("\n") };
}

type Refuse = (index: number, reason: string, remedy?: string) => Fault;
type ReadPath = (index: number, written: string) => string;

/** Extended header lines of `git diff`, from `diff --git` up to the first hunk (git-diff(1), "Generating patch text"). */
function readGitHeader(
  lines: readonly string[],
  start: number,
  path: ReadPath,
  refuse: Refuse,
): { file: NamedFile; end: number } {
  const header = (lines[start] ?? "").slice("diff --git ".length);
  if (header.endsWith("\r")) throw carriageReturn(start, refuse);
  let before: string | undefined;
  let after: string | undefined;
  let added = false;
  let deleted = false;
  let index = start + 1;
  for (; index < lines.length; index++) {
    const line = lines[index] ?? "";
    if (isTraditionalHeader(lines, index)) {
      const named = readTraditionalHeader(lines, index, path);
      return { file: named, end: index + 2 };
    }
    const [, key = "", value = ""] =
      /^(old mode|new mode|deleted file mode|new file mode|rename from|rename to|copy from|copy to|similarity index|dissimilarity index|index) (.*)$/.exec(
        line,
      ) ?? [];
    if (key === "") break;
    if (value.endsWith("\r")) throw carriageReturn(index, refuse);
    const mode = key === "index" ? (value.split(" ")[1] ?? "") : key.endsWith("mode") ? value : "";
    const special = SPECIAL_MODES[mode];
    if (special) throw refuse(index, `the patch makes or changes ${special}`);
    if (key === "new file mode") added = true;
    if (key === "deleted file mode") deleted = true;
    // These two name files without the `a/` and `b/`.
    if (key.endsWith(" from")) before = path(index, `a/${value}`);
    if (key.endsWith(" to")) after = path(index, `b/${value}`);
  }
  if (/^GIT binary patch|^Binary files /.test(lines[index] ?? ""))
    throw refuse(index, "the patch changes a binary file");
  if (before === undefined || after === undefined) {
    // No content changes: both names are the same, so that the header has one half for each.
    const half = (header.length - 1) / 2;
    const [left, right] = [header.slice(0, half), header.slice(half + 1)];
    before = path(start, left);
    after = path(start, right);
    if (before !== after) throw refuse(start, "cannot tell which file this is");
  }
  return { file: { ...(added ? {} : { before }), ...(deleted ? {} : { after }) }, end: index };
}

function isTraditionalHeader(lines: readonly string[], index: number): boolean {
  return (
    (lines[index] ?? "").startsWith("--- ") &&
    (lines[index + 1] ?? "").startsWith("+++ ") &&
    HUNK.test(lines[index + 2] ?? "")
  );
}

/** `--- a/PATH[TAB TIME]` and `+++ b/PATH[TAB TIME]`. */
function readTraditionalHeader(lines: readonly string[], index: number, path: ReadPath): NamedFile {
  const [before, after] = [index, index + 1].map((at) => {
    const written = (lines[at] ?? "").slice(4).split("\t", 1)[0] ?? "";
    return written.trimEnd() === "/dev/null" ? undefined : path(at, written);
  });
  return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

/** @returns index of the first line after the hunk */
function endOfHunk(lines: readonly string[], start: number, refuse: Refuse): number {
  const [, , before, after] = HUNK.exec(lines[start] ?? "") ?? [];
  let left = { before: Number(before ?? 1), after: Number(after ?? 1) };
  let index = start + 1;
  if ((lines[start] ?? "").endsWith("\r")) throw carriageReturn(start, refuse);
  for (; left.before > 0 || left.after > 0; index++) {
    const line = lines[index];
    if (line === undefined || (line === "" && index === lines.length - 1))
      throw refuse(start, "the patch is cut off inside this hunk");
    if (line.endsWith("\r")) throw carriageReturn(index, refuse);
    const kind = line[0] ?? " ";
    if (kind === "\\") continue;
    if (!" +-".includes(kind)) throw refuse(index, "no line of a hunk: it starts with none of ' ', '+', '-'");
    left = { before: left.before - (kind === "+" ? 0 : 1), after: left.after - (kind === "-" ? 0 : 1) };
  }
  if (lines[index]?.startsWith("\\")) index++;
  return index;
}

function carriageReturn(index: number, refuse: Refuse): Fault {
  return refuse(index, "the patch has CRLF line endings", "convert it, for example with dos2unix");
}

/** What is wrong with a path as the patch writes it, first component (`a/`) included; undefined when nothing is. */
export function pathProblem(written: string): string | undefined {
  const shown = JSON.stringify(written);
  if (written.startsWith("/")) return `absolute path ${shown}`;
  // Git quotes names with control characters, quotes, backslashes and bytes beyond ASCII; the kernel has none.
  if (!/^[\x20-\x7e]+$/.test(written) || /["\\]/.test(written)) return `unusual characters in path ${shown}`;
  const parts = written.split("/");
  if (parts.length < 2) return `path ${shown} lacks the leading a/ or b/ that 'git diff' writes`;
  if (parts.includes("..")) return `path ${shown} leads out of the tree`;
  if (parts.some((part) => part === "" || part === ".")) return `odd path ${shown}`;
  if (parts.some((part) => part.toLowerCase() === ".git")) return `path ${shown} is inside .git`;
  if (BUILD_OUTPUT.test(parts.slice(1).join("/"))) return `path ${shown} is a build output, not source`;
  return undefined;
}
