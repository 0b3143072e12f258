import type { Declaration } from "@kernel-hotpatch/kernel/dwarf/debug-information";

/** What a patch of one file does to its text. */
export interface SourceChange {
  readonly path: string;
  readonly before: string;
  readonly after: string;
  /** Lines of `before` that are removed, or that something is inserted behind. */
  readonly lines: ReadonlySet<number>;
}

/** @param patch unified, of this one file */
export function sourceChange(path: string, before: Buffer, after: Buffer, patch: string): SourceChange {
  const lines = new Set<number>();
  let line = 0;
  for (const text of patch.split("\n")) {
    const start = /^@@ -(\d+)/.exec(text)?.[1];
    if (start !== undefined) line = Number(start);
    else if (line === 0) continue;
    else if (text.startsWith("-")) lines.add(line++);
    else if (text.startsWith("+")) lines.add(Math.max(line - 1, 1));
    else if (text.startsWith(" ")) line++;
  }
  return { path, before: before.toString("latin1"), after: after.toString("latin1"), lines };
}

/**
 * The functions of the file that the patch touches. A function reaches up to the next one, as DWARF tells only where one
 * starts.
 * @param functions names, `declarations` where they are, in the file as it was
 */
export function touchedFunctions(
  { path, lines }: SourceChange,
  functions: Iterable<string>,
  declarations: ReadonlyMap<string, Declaration>,
): Set<string> {
  const starts = [...functions]
    .map((name) => ({ name, place: declarations.get(name) }))
    .filter(({ place }) => place?.file.endsWith(`/${path}`))
    .map(({ name, place }) => ({ name, line: place?.line ?? 0 }))
    .sort((a, b) => a.line - b.line);
  const touched = new Set<string>();
  for (const line of lines) {
    const found = starts.findLast((start) => start.line <= line);
    for (const { name } of starts.filter((start) => start.line === found?.line)) touched.add(name);
  }
  return touched;
}

/** Whether the two texts differ in more than comments and blanks. */
export function changesCode({ before, after }: SourceChange): boolean {
  return codeOf(before) !== codeOf(after);
}

function codeOf(text: string): string {
  return text
    .replaceAll(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\*.*?\*\/|\/\/[^\n]*/gs, (found) =>
      found.startsWith("/") ? " " : found,
    )
    .replaceAll(/\s+/g, " ")
    .replaceAll(/ ?([^\w ]) ?/g, "$1")
    .trim();
}
