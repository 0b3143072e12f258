import type { Observation } from "@kernel-hotpatch/kernel/observation";
import type { Difference } from "./difference.js";

/** Why a group does not compile or link, in the words of the compiler or of the linker's part of the build. */
export type Complaint = Pick<Observation, "rule" | "message" | "symbol" | "file" | "detail">;

/**
 * Which further files of a difference would give what is missing: headers that the group reads and that change a name
 * the compiler stumbles over, files whose own code it refuses, files that define what nothing in the kernel does.
 * @param group paths so far
 * @param isRead whether the group's units read a file, or would include it once it is there
 * @returns paths that are not in the group yet, sorted; none when nothing helps
 */
export function missingFiles(
  difference: Difference,
  group: ReadonlySet<string>,
  complaints: readonly Complaint[],
  isRead: (path: string) => boolean,
): string[] {
  const isNew = (path: string) => !group.has(path);
  const found = new Set<string>();
  const add = (paths: readonly string[]) => {
    for (const path of paths.filter(isNew)) found.add(path);
  };
  const headers = (word: string) => {
    const all = difference.withWord(word).filter((path) => path.endsWith(".h") && isNew(path));
    return all.filter(isRead);
  };
  const errors = complaints.filter(({ rule }) => rule === "does-not-compile");
  for (const { message, file, detail = "" } of errors) {
    // Where else it is declared.
    const noted = [
      ...detail.matchAll(/^([^\s:]+\.h):[\d:]+ note: (?:previous|declared here|originally)/gm),
    ].map(([, path = ""]) => path);
    add(noted.filter((path) => difference.change(path)));
    const lacking = /^([^\s:]+): No such file or directory/.exec(message)?.[1];
    if (lacking !== undefined) add(difference.added.filter((path) => path.endsWith(`/${lacking}`)));
    if (file?.endsWith(".c") && difference.change(file)) add([file]);
    add(quoted(message).flatMap(headers));
  }
  for (const { symbol = "" } of complaints.filter(({ rule }) => rule === "unresolved-symbol"))
    add(difference.withWord(symbol).filter((path) => defines(difference, path, symbol)));
  // What a macro hides, the compiler shows only in its excerpts.
  if (found.size === 0) for (const { detail = "" } of errors) add(excerptWords(detail).flatMap(headers));
  return [...found].sort();
}

/** Words of C that the compiler quotes as it does names. */
const KEYWORDS = new Set(
  [
    "char",
    "const",
    "double",
    "else",
    "enum",
    "float",
    "int",
    "long",
    "return",
    "short",
    "signed",
    "sizeof",
  ].concat(["static", "struct", "typeof", "union", "unsigned", "void", "volatile", "while"]),
);

function quoted(message: string): string[] {
  return [...message.matchAll(/[‘'](?:(?:struct|union|enum) )?([A-Za-z_]\w*)[’']/g)]
    .map(([, name = ""]) => name)
    .filter((name) => !KEYWORDS.has(name));
}

/** Of the source lines in the compiler's message, `  12 | text`; short names are too common to mean anything. */
function excerptWords(detail: string): string[] {
  return [...detail.matchAll(/^ *\d+ \|(.*)$/gm)]
    .flatMap(([, line = ""]) => line.match(/[A-Za-z_]\w{3,}/g) ?? [])
    .filter((name) => !KEYWORDS.has(name));
}

/** Whether the newer version has a definition of a function, or exports the name. */
function defines(difference: Difference, path: string, name: string): boolean {
  if (!path.endsWith(".c")) return false;
  const text = difference.change(path)?.after?.toString("latin1") ?? "";
  const definition = new RegExp(
    `^[A-Za-z_][^;={}\\n]*\\b${name}\\s*\\((?![^{]*;)|^${name}\\s*\\((?![^{]*;)|^EXPORT_SYMBOL\\w*\\(${name}\\)`,
    "m",
  );
  return definition.test(text);
}
