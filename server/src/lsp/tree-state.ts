import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { type Verdict, verdictOf } from "../review/verdict.js";
import { type ChangedFunction, changedFunctionsOf } from "./changed-functions.js";
import type { KernelTree } from "./kernel-tree.js";
import { uriOfPath } from "./places.js";

/** The request for all trees, without parameters, answered by `TreeState[]`. */
export const TREES = "hotpatch/trees";
/** Told, without parameters, when an answer may be another one now; to clients with `experimental.hotpatchTrees`. */
export const TREES_CHANGED = "hotpatch/treesChanged";

/** What an editor may show of a kernel tree as a whole; places as in a `Review`, counted from 1. */
export interface TreeState {
  readonly root: string;
  /** The kernel to patch; null when none fits. */
  readonly kernel: Review["kernel"] | null;
  /** Name of what files are compared with. */
  readonly base: string;
  /** Of what is known so far; null when nothing differs. */
  readonly verdict: Verdict | null;
  /** Those that differ. */
  readonly files: readonly FileState[];
  /** What the objects, and the sandbox if it was asked, say of the change as it is now. */
  readonly review: Review | null;
}

export interface FileState {
  readonly path: string;
  /** Whether its source was judged: those that differ on disk and are not open were not. */
  readonly isRead: boolean;
  readonly functions: readonly FunctionState[];
  readonly findings: readonly Finding[];
}

/** `line` and `endLine` are its first and last. */
export type FunctionState = Omit<ChangedFunction, "item"> & {
  readonly line: number;
  readonly endLine: number;
};

/** What is known of a tree's change. */
export function treeStateOf(tree: KernelTree): TreeState {
  const { profile } = tree.target;
  const review = tree.objects() ?? null;
  const files = tree.changes().map(({ path }): FileState => {
    const file = tree.files.get(path);
    if (!file?.changed)
      return {
        path,
        isRead: review?.witnesses.includes("source") ?? false,
        functions: [],
        findings: review?.findings.filter((finding) => finding.file === path) ?? [],
      };
    const functions = changedFunctionsOf(tree, file).map(
      ({ item: { line, endLine }, ...rest }): FunctionState => ({ ...rest, line, endLine }),
    );
    return { path, isRead: true, functions, findings: tree.findingsOf(file) };
  });
  return {
    root: uriOfPath(tree.root),
    kernel: profile ? { id: profile.id, arch: profile.arch, release: profile.release } : null,
    base: tree.base.name,
    verdict: files.length === 0 ? null : verdictSoFar(files, review),
    files,
    review,
  };
}

/** Findings that only say who was not asked; the editor shows that beside the verdict. */
const UNASKED = new Set(["not-read", "not-run"]);

function verdictSoFar(files: readonly FileState[], review: Review | null): Verdict {
  if (review?.witnesses.includes("source")) return review.verdict;
  const paths = new Set(files.map(({ path }) => path));
  const elsewhere = (review?.findings ?? []).filter(
    ({ file, rule }) => !UNASKED.has(rule) && (file === null || !paths.has(file)),
  );
  const said = verdictOf([...files.flatMap(({ findings }) => findings), ...elsewhere]);
  // What was not looked at is never safe.
  return said === "safe" && files.some(({ isRead }) => !isRead) ? "needs-review" : said;
}
