import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { run } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";

/** No configuration of the user's, the system's or the repository's may run programs or change the form. */
export const GIT = [
  "git",
  "-c",
  "core.fsmonitor=false",
  "-c",
  "core.quotePath=true",
  "--no-optional-locks",
] as const;

/** Variables for git where it reads what commits hold: what a partial clone lacks is not fetched. */
export const NOTHING_FETCHED = {
  GIT_NO_LAZY_FETCH: "1",
  // Git before 2.45 does not know that one; a list of protocols goes before all configuration (git(1)).
  GIT_ALLOW_PROTOCOL: "none",
} as const;

/**
 * Variables for git where it reads the files of a working tree, too: no filter that the configuration names converts one
 * (gitattributes(5), `filter`).
 * @param cwd a folder of the working tree
 */
export async function nothingFiltered(
  work: Pick<Work, "signal">,
  cwd: string = process.cwd(),
): Promise<Record<string, string>> {
  const listed = await run(work, [...GIT, "config", "--null", "--name-only", "--get-regexp", "^filter\\."], {
    cwd,
  });
  const names = [...new Set(listed.stdout.split("\0").filter((name) => name !== ""))];
  // By variables (git-config(1), GIT_CONFIG_COUNT): a filter's name may hold the `=` that ends the key of `-c`.
  const settings = names.flatMap((name, at) => [
    [`GIT_CONFIG_KEY_${at}`, name],
    [`GIT_CONFIG_VALUE_${at}`, ""],
  ]);
  return {
    ...NOTHING_FETCHED,
    GIT_CONFIG_COUNT: String(names.length),
    ...Object.fromEntries(settings),
  };
}

/** For `git diff`. */
export const PLAIN_DIFF = [
  "--no-ext-diff",
  "--no-textconv",
  "--no-color",
  "--no-renames",
  "--no-relative",
  "--src-prefix=a/",
  "--dst-prefix=b/",
] as const;

/** What a patch is called that nobody named. */
export const SINCE_HEAD = "changes since HEAD";
export const NOTHING_CHANGED = "nothing has changed since HEAD: there is no patch to look at";

export interface Range {
  readonly from: string;
  /** `..` or `...`. */
  readonly dots: string;
  readonly to: string;
}

/** `A..B` or `A...B` of names git could know (git-check-ref-format); an empty B is HEAD. */
export function parseRange(argument: string): Range | undefined {
  const [, from, dots, to] = /^([^.]\S*?)(\.{2,3})([^.]\S*)?$/.exec(argument) ?? [];
  if (!from || !dots || from.startsWith("-") || from.endsWith("/") || to?.startsWith("/")) return undefined;
  return { from, dots, to: to ?? "HEAD" };
}

/** @throws Fault `bad-input` with this message when the current folder is in no repository */
export async function requireRepository(work: Work, message: string): Promise<void> {
  const found = await run(work, [...GIT, "rev-parse", "--git-dir"]);
  if (found.status !== 0) throw new Fault("bad-input", message, { detail: found.stderr });
}

/**
 * The range with the names of its commits, as git takes it.
 * @throws Fault `bad-input` for a commit that git does not know
 */
export async function commitsOf(work: Work, { from, dots, to }: Range): Promise<string> {
  return `${await commitOf(work, from)}${dots}${await commitOf(work, to)}`;
}

/**
 * The commit that a name stands for.
 * @param cwd a folder of the working tree; by default the current one
 * @throws Fault `bad-input` when git does not know it
 */
export async function commitOf(
  work: Pick<Work, "signal">,
  name: string,
  cwd: string = process.cwd(),
): Promise<string> {
  const argv = [...GIT, "rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`] as const;
  const found = await run(work, argv, { cwd });
  if (found.status !== 0) throw new Fault("bad-input", `git knows no commit '${name}'`);
  return found.stdout.trim();
}

/**
 * Root of the working tree that a folder is in; undefined when it is in none.
 * @param cwd by default the current folder
 */
export async function workingTree(
  work: Pick<Work, "signal">,
  cwd: string = process.cwd(),
): Promise<string | undefined> {
  const found = await run(work, [...GIT, "rev-parse", "--show-toplevel"], { cwd });
  return found.status === 0 ? found.stdout.replace(/\n$/, "") : undefined;
}
