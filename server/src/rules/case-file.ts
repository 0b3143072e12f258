/**
 * Cases of a rule: annotated kernel C, with the expectation at the line it is about. A `.cases` file beside the rule:
 *
 *     === trips: a member in the middle moves the others
 *     --- include/linux/foo.h
 *      struct foo {
 *     +	int added; //~ unsafe "struct foo"
 *      	int old;
 *      };
 *
 * A case has a title, of which `trips:` and `safe:` mark the pair that the rule's page shows. A file begins with `---`;
 * its lines begin with a blank (in both versions), `-` (before) or `+` (after). `//~ SEVERITY "PART OF THE MESSAGE"` behind
 * a line says that the rule must find something there; `//~^` that it must do so one line above. A case without any must
 * find nothing. `>>> PATH` is followed by what the first fix of the case's first finding makes of that file. Files named
 * `.config`, `Module.symvers` and makefiles take the place of those that the harness makes up.
 */
export interface RuleCase {
  readonly title: string;
  /** Shown on the rule's page: the change as it is refused, and the same made safe. */
  readonly shown?: "trips" | "safe";
  /** Line of the title in the case file. */
  readonly line: number;
  readonly files: readonly CaseFile[];
  readonly expected: readonly Expected[];
  /** Content by path after the first fix. */
  readonly fixed: ReadonlyMap<string, string>;
}

export interface CaseFile {
  readonly path: string;
  /** Absent when no line of it is there before. */
  readonly before?: string;
  readonly after?: string;
  /** Its lines with their marks, expectations left out. */
  readonly marked: readonly string[];
}

export interface Expected {
  readonly file: string;
  /** Of the patched file. */
  readonly line: number;
  readonly severity: string;
  readonly message: string;
}

const EXPECTATION = /\s*\/\/~(\^*)\s*(unsafe|needs-review|info)(?:\s+"([^"]*)")?\s*$/;

/** @throws Error that names the line of a case file that cannot be read */
export function parseCases(name: string, text: string): RuleCase[] {
  const cases: RuleCase[] = [];
  let open: Open | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fail = (reason: string) => new Error(`${name}:${index + 1}: ${reason}`);
    const title = /^=== (?:(trips|safe): )?(.+)$/.exec(line);
    if (title) {
      if (open) cases.push(close(open));
      const shown = title[1] as RuleCase["shown"];
      open = { title: title[2] ?? "", line: index + 1, files: [], fixed: new Map(), ...(shown && { shown }) };
      continue;
    }
    if (!open) {
      if (line.trim() === "" || line.startsWith("#")) continue;
      throw fail("a case begins with '=== TITLE'");
    }
    const header = /^(---|>>>) (\S+)$/.exec(line);
    if (header) {
      const [, mark, path = ""] = header;
      open.into = { path, lines: [] };
      if (mark === "---") open.files.push(open.into);
      else open.fixed.set(path, open.into.lines);
    } else if (open.into && /^[ +-]|^$/.test(line)) open.into.lines.push(line === "" ? " " : line);
    else throw fail("a line of a file begins with a blank, '+' or '-', and behind '--- PATH'");
  }
  if (open) cases.push(close(open));
  return cases;
}

interface Open {
  readonly title: string;
  readonly shown?: "trips" | "safe";
  readonly line: number;
  readonly files: { path: string; lines: string[] }[];
  readonly fixed: Map<string, string[]>;
  into?: { path: string; lines: string[] };
}

function close({ files, fixed, title, shown, line }: Open): RuleCase {
  const expected: Expected[] = [];
  const read = files.map(({ path, lines }): CaseFile => {
    const marked = withoutBlankEnd(lines).map((text) => text.replace(EXPECTATION, ""));
    let after = 0;
    for (const text of withoutBlankEnd(lines)) {
      if (!text.startsWith("-")) after++;
      const found = EXPECTATION.exec(text);
      if (found)
        expected.push({
          file: path,
          line: after - (found[1] ?? "").length,
          severity: found[2] ?? "",
          message: found[3] ?? "",
        });
    }
    const side = (mark: string) => {
      const kept = marked
        .filter((text) => text.startsWith(" ") || text.startsWith(mark))
        .map((text) => text.slice(1));
      const exists =
        marked.length === 0 || marked.some((text) => text.startsWith(mark) || text.trim() !== "");
      return kept.length > 0 && exists ? `${kept.join("\n")}\n` : undefined;
    };
    const [old, now] = [side("-"), side("+")];
    return {
      path,
      marked,
      ...(old !== undefined && { before: old }),
      ...(now !== undefined && { after: now }),
    };
  });
  const content = [...fixed].map(
    ([path, lines]) =>
      [
        path,
        `${withoutBlankEnd(lines)
          .map((text) => text.slice(1))
          .join("\n")}\n`,
      ] as const,
  );
  return { title, line, files: read, expected, fixed: new Map(content), ...(shown && { shown }) };
}

function withoutBlankEnd(lines: readonly string[]): string[] {
  const last = lines.findLastIndex((line) => line.trim() !== "");
  return lines.slice(0, last + 1);
}
