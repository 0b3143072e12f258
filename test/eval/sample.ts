/** A function that a patch touches and whose code differs. */
export interface ChangedFunction {
  readonly path: string;
  readonly name: string;
}

/**
 * Those hunks of a patch that hold a function's definition.
 * @param patch of one file, made with `git diff --function-context`
 * @returns all hunks when none shows the definition: a macro makes it
 */
export function hunksOf(patch: string, name: string): string {
  const hunks = patch.split(/^(?=@@ )/m).slice(1);
  // A definition starts in the first column, or has its return type on the line before.
  const definition = new RegExp(`^[ +-](?:\\w.*\\W)?${name}\\s*\\(`, "m");
  // git names the function that a hunk begins in.
  const begins = new RegExp(`^@@ [^@]* @@ .*\\b${name}\\s*\\(`);
  const own = hunks.filter((hunk) => definition.test(hunk) || begins.test(hunk));
  return (own.length > 0 ? own : hunks).join("");
}

/** One function for a person to read. */
export function renderSample(number: number, { path, name }: ChangedFunction, hunks: string): string {
  return `== ${number}. ${name}, ${path}\n\n${hunks.trimEnd()}\n\n`;
}
