import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { runConfined } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import { foldersOf, type KernelProfile } from "../profile/profile.js";
import { SOURCE_ARCH } from "./kbuild.js";
import { sourceFolders } from "./source-folders.js";

const DEADLINE = 300;

/**
 * Searches what the kernel's own C and assembly are made of, and what its build generated.
 * @param options of ripgrep
 * @param input what ripgrep reads, if anything
 * @param places files and folders to search in place of all, relative to the root of the source
 * @returns lines that ripgrep prints, in no order; paths in the build folder are absolute
 */
export async function searchSource(
  work: Work,
  profile: KernelProfile,
  options: readonly string[],
  input = "",
  places?: readonly string[],
): Promise<string[]> {
  const generated = [`arch/${SOURCE_ARCH[profile.arch]}/include/generated`, "include/generated"]
    .map((folder) => join(profile.build, folder))
    .filter(existsSync);
  const searched = places ?? [...(await sourceFolders(profile.source, profile.arch)), ...generated];
  const common = ["--no-config", "--no-ignore", "--hidden", "--text", "--color=never", "--no-heading"];
  const { status, stdout, stderr } = await runConfined(
    work,
    ["rg", ...common, "--glob=*.{c,h,S,inc,def}", ...options, "--", ...searched],
    { readable: foldersOf(profile) },
    { cwd: profile.source, deadline: DEADLINE, input },
  );
  // ripgrep: 0 found, 1 found nothing, 2 could not read something.
  if (status > 1) throw new Fault("defect", `cannot search the kernel's source: ${stderr.split("\n")[0]}`);
  return stdout.split("\n").filter((line) => line !== "");
}

/**
 * @param words to be found as a whole
 * @returns files that hold any of them, relative to the root of the source or of the build folder
 */
export async function filesWithWords(
  work: Work,
  profile: KernelProfile,
  words: readonly string[],
  places?: readonly string[],
): Promise<Set<string>> {
  if (words.length === 0) return new Set();
  const options = ["--files-with-matches", "--word-regexp", "--fixed-strings", "--file=-"];
  const lines = await searchSource(work, profile, options, words.join("\n"), places);
  return new Set(lines.map((file) => (file.startsWith("/") ? relative(profile.build, file) : file)));
}
