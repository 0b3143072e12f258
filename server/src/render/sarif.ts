import type {
  ArtifactChange,
  Fix,
  Location,
  Log,
  PhysicalLocation,
  Region,
  ReportingDescriptor,
  Result,
  Suppression,
} from "sarif";
import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { ruleOf } from "../rules/catalogue.js";
import type { Severity } from "../rules/rule.js";
import { fingerprints } from "./fingerprints.js";
import { renderJson } from "./json.js";

/**
 * A review as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), one run; paths are relative to
 * the root of the kernel tree, `%SRCROOT%`.
 */
export function renderReviewSarif(review: Review): string {
  const { kernel, patch, runPre, tool, verdict } = review;
  const rules = [...new Set(review.findings.map(({ rule }) => rule))].sort();
  const indexes = new Map(rules.map((rule, index) => [rule, index]));
  const prints = fingerprints(review.findings);
  const log: Log = {
    version: "2.1.0",
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    runs: [
      {
        tool: { driver: { name: tool.name, semanticVersion: tool.version, rules: rules.map(descriptor) } },
        columnKind: "utf16CodeUnits",
        originalUriBaseIds: { [ROOT]: { description: { text: "the root of the kernel tree" } } },
        results: review.findings.map((finding, at) => ({
          ...resultOf(finding, indexes.get(finding.rule)),
          partialFingerprints: { [FINGERPRINT]: prints[at] ?? "" },
        })),
        properties: { verdict, kernel, patch, ...(runPre && { runPre }) },
      },
    ],
  };
  return renderJson(log);
}

const ROOT = "%SRCROOT%";
/** The number behind the slash changes when fingerprints are made in another way. */
const FINGERPRINT = "hotpatchFinding/v1";
const LEVELS: Readonly<Record<Severity, "error" | "warning" | "note">> = {
  unsafe: "error",
  "needs-review": "warning",
  info: "note",
};

function descriptor(id: string): ReportingDescriptor {
  const rule = ruleOf(id);
  if (!rule) return { id };
  return {
    id,
    shortDescription: { text: sentence(rule.summary) },
    fullDescription: { text: rule.why },
    help: { text: rule.remedy, markdown: `${rule.why}\n\n**What to do.** ${rule.remedy}` },
    defaultConfiguration: { level: LEVELS[rule.severity] },
    properties: { witnesses: rule.witnesses },
  };
}

function resultOf(finding: Finding, ruleIndex: number | undefined): Result {
  const { rule, severity, witness, symbol, message, why, remedy, detail, related, fixes, suppressed } =
    finding;
  const at = physicalOf(finding, finding.excerpt?.text);
  const isSymbol = symbol !== undefined && { logicalLocations: [{ name: symbol }] };
  const others = related.flatMap((other, id) => {
    const place = physicalOf(other);
    return [{ id, ...(place && { physicalLocation: place }), message: { text: other.message } }];
  });
  const suppression: Suppression | undefined = suppressed && {
    kind: "inSource",
    justification: suppressed.reason,
  };
  const locations: Location[] = at || isSymbol ? [{ ...(at && { physicalLocation: at }), ...isSymbol }] : [];
  return {
    ruleId: rule,
    ...(ruleIndex !== undefined && { ruleIndex }),
    level: LEVELS[severity],
    message: { text: sentence(message) },
    locations,
    ...(others.length > 0 && { relatedLocations: others }),
    // An empty list says that the result was looked at and is not suppressed.
    suppressions: suppression ? [suppression] : [],
    ...(fixes && fixes.length > 0 && { fixes: fixes.map(fixOf) }),
    properties: { severity, witness, why, remedy, ...(detail !== undefined && { detail }) },
  };
}

type Stretch = Pick<Finding, "file" | "line" | "column" | "endLine" | "endColumn">;

function physicalOf(stretch: Stretch, code?: string): PhysicalLocation | undefined {
  if (stretch.file === null) return undefined;
  const region = regionOf(stretch);
  const snippet = code === undefined || !region ? undefined : { text: code };
  return {
    artifactLocation: artifact(stretch.file),
    ...(region && { region }),
    ...(snippet && { contextRegion: { startLine: stretch.line ?? 1, snippet } }),
  };
}

/** What is known of it, and only that. */
function regionOf({ line, column, endLine, endColumn }: Stretch): Region | undefined {
  if (line === null) return undefined;
  const isLater = endLine !== null && (endLine > line || (endColumn ?? 0) > (column ?? 0));
  return {
    startLine: line,
    ...(column !== null && { startColumn: column }),
    ...(isLater && endLine !== null && { endLine }),
    ...(isLater && endColumn !== null && { endColumn }),
  };
}

function fixOf({ title, edits }: NonNullable<Finding["fixes"]>[number]): Fix {
  const files = [...new Set(edits.map(({ file }) => file))];
  const artifactChanges = files.map(
    (file): ArtifactChange => ({
      artifactLocation: artifact(file),
      replacements: edits
        .filter((edit) => edit.file === file)
        .map(({ line, column, endLine, endColumn, text }) => ({
          deletedRegion: { startLine: line, startColumn: column, endLine, endColumn },
          insertedContent: { text },
        })),
    }),
  );
  return { description: { text: title }, artifactChanges };
}

function artifact(file: string) {
  return { uri: file.split("/").map(encodeURIComponent).join("/"), uriBaseId: ROOT };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
