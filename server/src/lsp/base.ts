import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { CHECK_LIMITS } from "@kernel-hotpatch/kernel/build/patch-limits";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { commitOf, workingTree } from "../repository/git.js";
import { fileOfCommit, filesSince } from "../repository/repository-change.js";
import { pathIn } from "./places.js";

/** Files that differ beside those that are open: more than any hot patch touches. */
const MOST_FILES = 200;

type Stoppable = Pick<Work, "signal">;

/** What the files of a tree are compared with. */
export interface Base {
  /** For messages. */
  readonly name: string;
  /** Looks again what that is. @returns whether it is another one now */
  refresh(work: Stoppable): Promise<boolean>;
  /** What a file held; undefined when there was none. @param path relative to the root of the tree */
  read(work: Stoppable, path: string): Promise<Buffer | undefined>;
  /** Files that differ on disk, as far as that can be told. @throws Fault as `filesSince` */
  changes(work: Stoppable): Promise<readonly FileChange[]>;
}

/**
 * The base of a tree: a commit where it is in a git repository, else the pristine source of the kernel to patch.
 * @param commit what the person chose; undefined for HEAD
 * @param pristine folder of that source
 * @returns undefined when there is neither
 * @throws Fault `bad-input` for a commit that git does not know
 */
export async function openBase(
  work: Stoppable,
  root: string,
  commit: string | undefined,
  pristine: string | undefined,
): Promise<Base | undefined> {
  const repository = await workingTree(work, root).catch((error: unknown) => {
    // A machine without git has trees without git.
    if (error instanceof Fault && error.code === "lacking") return undefined;
    throw error;
  });
  if (repository === undefined && commit !== undefined)
    throw new Fault("bad-input", `${root} is in no git repository: there is no '${commit}' to compare with`);
  if (repository !== undefined) {
    const name = commit ?? "HEAD";
    const found = await commitOf(work, name, root).catch((error: unknown) => {
      // A repository without any commit.
      if (commit !== undefined) throw error;
      return undefined;
    });
    if (found !== undefined) return await gitBase(root, repository, name, found);
  }
  return pristine === undefined ? undefined : folderBase(pristine);
}

/** @param found the commit that `name` stands for now */
async function gitBase(root: string, repository: string, name: string, found: string): Promise<Base> {
  const prefix = pathIn(repository, await realpath(root));
  const inRepository = (path: string) => (prefix === "" ? path : `${prefix}/${path}`);
  let commit = found;
  return {
    name,
    async refresh(work) {
      const last = commit;
      commit = await commitOf(work, name, root);
      return commit !== last;
    },
    read: (work, path) => fileOfCommit(work, repository, commit, inRepository(path)),
    async changes(work) {
      const changes = await filesSince(work, repository, commit, { ...CHECK_LIMITS, files: MOST_FILES });
      if (prefix === "") return changes;
      return changes
        .filter(({ path }) => path.startsWith(`${prefix}/`))
        .map((change) => ({ ...change, path: change.path.slice(prefix.length + 1) }));
    },
  };
}

/** Which of its files differ could only be told by reading them all. */
function folderBase(pristine: string): Base {
  return {
    name: pristine,
    refresh: async () => false,
    read: async (_work, path) => await readFile(join(pristine, path)).catch(() => undefined),
    changes: async () => [],
  };
}
