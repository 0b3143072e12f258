import { sourceFolders } from "@kernel-hotpatch/kernel/build/source-folders";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { run } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { SourceTree } from "./source-tree.js";

/**
 * Searches the C files of the kernel (`.c`, `.h`, of the tree's own architecture) with ripgrep. Symbolic links are not
 * followed.
 * @param options arguments that say what is searched for and what is printed
 * @param input what ripgrep reads from its standard input
 * @param onFile called for each file with its path and the lines printed for it, in no order
 * @throws Fault "lacking" without ripgrep, "interrupted", "bad-input" when files cannot be read or it takes too long
 */
export async function searchTree(
  work: Pick<Work, "signal">,
  tree: SourceTree,
  options: readonly string[],
  input: string,
  onFile: (file: string, lines: readonly string[]) => void,
): Promise<void> {
  const folders = await sourceFolders(tree.root, tree.arch);
  if (folders.length === 0) return;
  let rest = "";
  let file = "";
  let lines: string[] = [];
  const finish = () => {
    if (lines.length > 0) onFile(file, lines);
    lines = [];
    file = "";
  };
  // Below a heading with the file's path, the lines; an empty line after them.
  const take = (line: string) => {
    if (line === "") finish();
    else if (file === "") file = Buffer.from(line, "latin1").toString();
    else lines.push(line);
  };
  const onOutput = (chunk: Buffer) => {
    const pieces = (rest + chunk.toString("latin1")).split("\n");
    rest = pieces.pop() ?? "";
    for (const piece of pieces) take(piece);
  };
  const { status, stderr } = await run(work, ["rg", ...COMMON, ...options, "--", ...folders], {
    cwd: tree.root,
    input,
    deadline: DEADLINE,
    onOutput,
  });
  finish();
  // ripgrep: 0 found, 1 found nothing, 2 could not read something.
  if (status > 1) {
    throw new Fault("bad-input", `cannot search ${tree.root}: ${stderr.split("\n")[0]}`, { detail: stderr });
  }
}

/** Nothing that a person's own settings or a `.gitignore` change. */
const COMMON = [
  "--no-config",
  "--no-ignore",
  "--hidden",
  "--text",
  "--heading",
  "--color=never",
  "--glob=*.[ch]",
  "--glob=!*.mod.c",
  "--only-matching",
];
const DEADLINE = 120;
