import type { FileState, FunctionState, TreeState } from "@kernel-hotpatch/server/lsp/tree-state";
import type { Finding } from "@kernel-hotpatch/server/review/finding";
import type { Review } from "@kernel-hotpatch/server/review/review";

/** What a line of the view stands for, and thus how it looks. */
export type NodeKind =
  | "file"
  | "function"
  | "group"
  | "object"
  | "symbol"
  | "module"
  | "output"
  | "safe"
  | "needs-review"
  | "unsafe"
  | "info"
  | "passed"
  | "failed"
  | "skipped";

/** One line of the view "Hot Patch", with what is below it. */
export interface PatchNode {
  /** Unique among its siblings, and the same as long as it stands for the same. */
  readonly id: string;
  readonly label: string;
  readonly kind: NodeKind;
  readonly description?: string;
  readonly tooltip?: string;
  /** Where it leads, in the kernel tree; counted from 1. */
  readonly place?: Place;
  readonly children: readonly PatchNode[];
}

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Patch, files, functions, findings, objects, module and steps of the sandbox, as far as they are known. */
export function patchNodes({ files, review }: TreeState): PatchNode[] {
  const paths = new Set(files.map(({ path }) => path));
  const rest = (review?.findings ?? []).filter(({ file }) => file === null || !paths.has(file));
  return [
    ...files.map(fileNode),
    ...group("Whole patch", rest.map(findingNode)),
    ...group("Objects", (review?.objects ?? []).map(objectNode)),
    ...(review?.module ? [moduleNode(review.module)] : []),
    ...(review?.sandbox ? [sandboxNode(review.sandbox)] : []),
  ];
}

function group(label: string, children: readonly PatchNode[]): PatchNode[] {
  return children.length === 0 ? [] : [{ id: label, label, kind: "group", children }];
}

function fileNode({ path, isRead, functions, findings }: FileState): PatchNode {
  const within = (changed: FunctionState) =>
    findings.filter((finding) => finding.line !== null && isNearest(functions, changed, finding.line));
  const inFunctions = new Set(functions.flatMap(within));
  const folder = path.lastIndexOf("/");
  return {
    id: path,
    label: path.slice(folder + 1),
    description: isRead
      ? path.slice(0, Math.max(folder, 0))
      : `${path.slice(0, Math.max(folder, 0))} · not read: open it`,
    kind: "file",
    place: { file: path, line: 1, column: 1 },
    children: [
      ...functions.map((changed) => functionNode(path, changed, within(changed))),
      ...findings.filter((finding) => !inFunctions.has(finding)).map(findingNode),
    ],
  };
}

/** A finding belongs to the changed function that begins last before it, if it is in one. */
function isNearest(
  functions: readonly FunctionState[],
  { line, endLine }: FunctionState,
  at: number,
): boolean {
  return at >= line && at <= endLine && !functions.some((other) => other.line > line && other.line <= at);
}

function functionNode(file: string, changed: FunctionState, findings: readonly Finding[]): PatchNode {
  const { name, line, verdict, object, inlinedInto } = changed;
  return {
    id: `${name}()`,
    label: name,
    kind: "function",
    description: [
      verdict,
      ...(object === undefined || object === "inlined"
        ? []
        : [object === "unchanged" ? "no difference in the object" : object]),
      ...(inlinedInto.length === 0 ? [] : [`inlined into ${inlinedInto.join(", ")}`]),
    ].join(" · "),
    place: { file, line, column: 1 },
    children: findings.map(findingNode),
  };
}

function findingNode(finding: Finding): PatchNode {
  const { rule, severity, message, why, remedy, file, line, column, suppressed, related } = finding;
  return {
    id: `${rule} ${line} ${column} ${message}`,
    label: message,
    description: suppressed ? `${rule} · suppressed: ${suppressed.reason}` : rule,
    tooltip: `${message}\n\n${why}\n\n${remedy}`,
    kind: suppressed ? "info" : severity,
    ...(file !== null && { place: { file, line: line ?? 1, column: column ?? 1 } }),
    children: related.map((place, at) => ({
      id: String(at),
      label: place.message,
      kind: "output" as const,
      ...(place.file !== null && {
        description: `${place.file}:${place.line ?? 1}`,
        place: { file: place.file, line: place.line ?? 1, column: place.column ?? 1 },
      }),
      children: [],
    })),
  };
}

type ObjectDiff = NonNullable<Review["objects"]>[number];

function objectNode({
  patched,
  outcome,
  changed,
  new: added,
  removed,
  data,
  refusals,
}: ObjectDiff): PatchNode {
  const symbols = (what: string, names: readonly string[]): PatchNode[] =>
    names.map((name) => ({
      id: `${what} ${name}`,
      label: name,
      description: what,
      kind: "symbol",
      children: [],
    }));
  return {
    id: patched,
    label: patched,
    description: outcome,
    kind: "object",
    children: [
      ...symbols("changed", changed),
      ...symbols("new", added),
      ...symbols("removed", removed),
      ...data.map(
        ({ name, why }): PatchNode => ({
          id: `data ${name}`,
          label: name,
          description: why,
          kind: "symbol",
          children: [],
        }),
      ),
      ...refusals.map(
        ({ rule, message, file, line, column }): PatchNode => ({
          id: `${rule} ${message}`,
          label: message,
          description: rule,
          kind: "unsafe",
          ...(file !== undefined && { place: { file, line: line ?? 1, column: column ?? 1 } }),
          children: [],
        }),
      ),
    ],
  };
}

function moduleNode({
  path,
  backend,
  functions,
  callbacks,
  replace,
}: NonNullable<Review["module"]>): PatchNode {
  return {
    id: "module",
    label: "patch.ko",
    description: `${backend}, ${replace ? "replaces earlier patches" : "added to earlier patches"}`,
    tooltip: path,
    kind: "module",
    children: [
      ...functions.map(
        ({ object, name }): PatchNode => ({
          id: `${object}:${name}`,
          label: name,
          description: `redirected in ${object}`,
          kind: "symbol",
          children: [],
        }),
      ),
      ...callbacks.map(
        ({ object, kind, name }): PatchNode => ({
          id: `${object}:${kind}:${name}`,
          label: name,
          description: `${kind} callback of ${object}`,
          kind: "symbol",
          children: [],
        }),
      ),
    ],
  };
}

function sandboxNode({ outcome, accelerator, seconds, steps }: NonNullable<Review["sandbox"]>): PatchNode {
  return {
    id: "sandbox",
    label: "Sandbox",
    description: `${outcome}, ${accelerator === "kvm" ? "KVM" : accelerator}, ${seconds.toFixed(1)} s`,
    kind: "group",
    children: steps.map(({ name, outcome: result, seconds: took, output }) => ({
      id: name,
      label: name,
      description: `${result}, ${took.toFixed(1)} s`,
      kind: result,
      children: output.map((line, at) => ({
        id: String(at),
        label: line,
        kind: "output" as const,
        children: [],
      })),
    })),
  };
}
