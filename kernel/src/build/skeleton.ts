import { codeLines } from "./code-lines.js";

/**
 * What a C file declares, without what its functions do: only a change here can change the layout of a type or the
 * meaning of a constant that other code knows. Reads the kernel's style (Documentation/process/coding-style.rst, 3):
 * a function's braces stand at the beginning of a line. What is written otherwise counts as declared.
 * @param source text of a C file
 * @returns text to be compared with that of another version
 */
export function skeleton(source: string): string {
  const lines = codeLines(source)
    .map((line) => line.replaceAll(/\s+/g, " ").trimEnd())
    .filter((line) => line !== "");
  const declared: string[] = [];
  let head = "";
  let inBody = false;
  for (const line of lines) {
    const directive = /^ ?#/.test(line);
    if (inBody && !directive) {
      if (line.startsWith("}")) inBody = false;
      else continue;
    } else if (line === "{" && isFunctionHead(head)) inBody = true;
    declared.push(line);
    if (directive) continue;
    head = /[;}]$/.test(line) ? "" : `${head} ${line.trim()}`;
  }
  return declared.join("\n");
}

/** Ends in a list of parameters, in front of which is a name that no attribute has. */
function isFunctionHead(head: string): boolean {
  const [, name] = /^[^(]*?(\w+) ?\(.*\)$/.exec(head.trim()) ?? [];
  if (name === undefined || name.startsWith("__")) return false;
  return !/[={}]|\b(struct|union|enum) \w+ ?\(/.test(head);
}
