import { setImmediate } from "node:timers/promises";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { checkpoint, type Work } from "@kernel-hotpatch/kernel/host/work";
import type { ChangedFile, ChangeSet } from "../change/change-set.js";
import { readChangeSet } from "../change/read-change-set.js";
import { builtRules } from "../rules/built-rules.js";
import type { Inspection, SourceFinding, SourceRule } from "../rules/inspection.js";
import { witnessRules } from "../rules/source-rules.js";
import type { Engine } from "../syntax/tree.js";
import { readConditionsOf } from "../tree/conditions.js";
import { gatherFacts } from "../tree/gather-facts.js";
import type { SourceTree } from "../tree/source-tree.js";
import { NotGathered, type TreeFacts } from "../tree/tree-facts.js";
import type { Finding } from "./finding.js";
import { sourceWorkers } from "./source-workers.js";

/**
 * Asks the source witness: reads what the files change by meaning, looks up what the tree says of it, and puts every rule to
 * each file.
 * @param files what the patch makes of each file
 * @returns findings in the order of files and rules
 * @throws Fault `interrupted`; `lacking` when the grammar or ripgrep is not there
 */
export async function checkFiles(
  work: Work,
  engine: Engine,
  tree: SourceTree,
  files: readonly FileChange[],
): Promise<Finding[]> {
  const workers = sourceWorkers(tree, files);
  try {
    const changes = await readChangeSet(work, engine, files, readConditionsOf(tree), workers?.compare);
    work.progress("looking up what it touches");
    const facts = await gatherFacts(work, tree, changes, engine, workers?.findUses);
    const findings: Finding[] = [];
    for (const [at, file] of changes.files.entries()) {
      checkpoint(work);
      work.progress(`judging ${file.path}`, at / changes.files.length);
      findings.push(...askRules(file, changes, facts));
      for (const side of [file.before, file.after]) side?.release();
      await setImmediate();
    }
    return findings;
  } finally {
    await workers?.close();
  }
}

/** Puts every rule to one file of a change. */
export function askRules(file: ChangedFile, changes: ChangeSet, facts: TreeFacts): Finding[] {
  const inspection = { file, changes, facts };
  return rulesFor(file, facts).flatMap((rule) => askRule(rule, inspection));
}

/** What rules say while what they ask of the tree is still being looked up. */
export interface SaidSoFar {
  readonly findings: Finding[];
  /** Rules that cannot answer yet. */
  readonly waiting: ReadonlySet<string>;
}

/**
 * Puts every rule to one file of a change, as far as they can answer.
 * @param facts throw `NotGathered` for what is not known yet
 */
export function askRulesSoFar(file: ChangedFile, changes: ChangeSet, facts: TreeFacts): SaidSoFar {
  const inspection = { file, changes, facts };
  const findings: Finding[] = [];
  const waiting = new Set<string>();
  let rules: readonly SourceRule[];
  try {
    rules = rulesFor(file, facts);
  } catch (error) {
    if (!(error instanceof NotGathered)) throw error;
    return { findings, waiting: new Set(witnessRules.map(({ id }) => id)) };
  }
  for (const rule of rules) {
    try {
      findings.push(...askRule(rule, inspection));
    } catch (error) {
      if (!(error instanceof NotGathered)) throw error;
      waiting.add(rule.id);
    }
  }
  return { findings, waiting };
}

function rulesFor(file: ChangedFile, facts: TreeFacts): readonly SourceRule[] {
  // Of code that is not compiled there is nothing else to say.
  const isLeftOut = file.path.endsWith(".c") && facts.build(file.path).into === "nothing";
  return isLeftOut ? builtRules : witnessRules;
}

function askRule(rule: SourceRule, inspection: Inspection): Finding[] {
  return [...rule.check(inspection)].map((found) => findingOfSource(rule, found, inspection.file));
}

/** A rule's finding with the rule's words around it. */
function findingOfSource(rule: SourceRule, found: SourceFinding, file: ChangedFile): Finding {
  const { at, symbol, severity, message, why, remedy, related, fixes } = found;
  const line = at.file === file.path ? file.after?.lines.line(at.line) : undefined;
  return {
    rule: rule.id,
    severity: severity ?? rule.severity,
    witness: "source",
    ...at,
    ...(symbol !== undefined && { symbol }),
    message,
    why: why ?? rule.why,
    remedy: remedy ?? rule.remedy,
    ...(line !== undefined && { excerpt: { text: line } }),
    related: (related ?? []).map((other) => ({ ...other.at, message: other.message })),
    ...(fixes && fixes.length > 0 && { fixes }),
  };
}
