import { buildRules } from "./build-rules.js";
import { objectRules } from "./object-rules.js";
import type { Rule } from "./rule.js";
import { sandboxRules } from "./sandbox-rules.js";
import { witnessRules } from "./source-rules.js";

/** Every rule, in the order in which witnesses are asked. */
export const catalogue: readonly Rule[] = [...witnessRules, ...buildRules, ...objectRules, ...sandboxRules];

const byId = new Map(catalogue.map((rule) => [rule.id, rule]));

/** The rule of that id; undefined when there is none. */
export function ruleOf(id: string): Rule | undefined {
  return byId.get(id);
}
