import type { ObjectDiff } from "@kernel-hotpatch/kernel/objdiff/report";
import type { Finding } from "./finding.js";

/**
 * Brings together what the source and the objects say of one patch. Where both name the same rule and symbol, the object
 * witness confirms the source's finding: one finding stays, with the place and words of the source and the weight that
 * the objects give it. Where the objects were compared, can decide, and show nothing of what the source is sure of, they
 * contradict it: the finding stays, says so, and is for a person to judge. All else is left as it is.
 * @param objects comparisons of all units that the patch reaches
 */
export function mergeWitnesses(
  source: readonly Finding[],
  object: readonly Finding[],
  objects: readonly ObjectDiff[],
): Finding[] {
  const left = new Set(object);
  const compared = new Set(objects.map(({ orig }) => orig.replace(/\.o$/, ".c")));
  const merged = source.map((finding): Finding => {
    const same = object.filter((other) => isSame(finding, other));
    const [first] = same;
    if (first) {
      for (const other of same) left.delete(other);
      const { severity, detail } = first;
      return {
        ...finding,
        severity,
        ...(detail !== undefined && { detail }),
        confirmed: { witness: "object" },
      };
    }
    if (!DECIDED_BY_OBJECTS.has(finding.rule) || finding.severity !== "unsafe") return finding;
    if (!wasCompared(finding, compared)) return finding;
    return {
      ...finding,
      severity: "needs-review",
      contradicted: {
        witness: "object",
        message: `the compiled objects (${[...compared].map((unit) => unit.replace(/\.c$/, ".o")).join(", ")}) do not show this`,
      },
    };
  });
  return [...merged, ...left];
}

/** What the comparison of objects cannot overlook once it has looked. */
const DECIDED_BY_OBJECTS: ReadonlySet<string> = new Set([
  "static-data-changed",
  "ops-table-changed",
  "static-local-removed",
  "data-layout",
  "init-code",
  "not-traceable",
  "percpu-changed",
]);

function isSame(source: Finding, object: Finding): boolean {
  if (source.rule !== object.rule) return false;
  if (source.symbol !== undefined && object.symbol !== undefined)
    return bareName(source.symbol) === bareName(object.symbol);
  return source.file === object.file;
}

/** `struct foo` and `foo` are one; so are a static local and the compiler's numbering of it. */
function bareName(symbol: string): string {
  return symbol.replace(/^(?:struct|union|enum) /, "").replace(/\.\d+$/, "");
}

/** A header's finding was looked at when any unit was: only units that read the header are compared. */
function wasCompared({ file }: Finding, compared: ReadonlySet<string>): boolean {
  if (file === null || compared.size === 0) return false;
  return file.endsWith(".h") || compared.has(file);
}
