import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Observation } from "@kernel-hotpatch/kernel/observation";
import { ruleOf } from "../rules/catalogue.js";
import type { Witness } from "../rules/rule.js";
import type { Finding } from "./finding.js";

/**
 * The finding for what a witness observed: the rule's words around the witness's own.
 * @param witness who is speaking; the rule's first witness where the rule does not know this one
 * @throws Fault `defect` when the catalogue has no such rule
 */
export function findingOf(observation: Observation, witness: Witness): Finding {
  const rule = ruleOf(observation.rule);
  if (!rule) throw new Fault("defect", `no rule '${observation.rule}' in the catalogue`);
  const line = observation.line ?? null;
  const column = observation.column ?? null;
  return {
    rule: rule.id,
    severity: observation.severity ?? rule.severity,
    witness: rule.witnesses.includes(witness) ? witness : rule.witnesses[0],
    file: observation.file ?? null,
    line,
    column,
    endLine: line,
    endColumn: column,
    ...(observation.symbol === undefined ? {} : { symbol: observation.symbol }),
    message: observation.message,
    why: rule.why,
    remedy: rule.remedy,
    ...(observation.detail === undefined ? {} : { detail: observation.detail }),
    related: [],
  };
}
