import { builtRules } from "./built-rules.js";
import { changeoverRules } from "./changeover-rules.js";
import { dataRules } from "./data-rules.js";
import { functionRules } from "./functions-rules.js";
import type { SourceRule } from "./inspection.js";
import { machineryRules } from "./machinery-rules.js";

/** Every rule that the source witness can judge, in the order in which they are asked. */
export const witnessRules: readonly SourceRule[] = [
  ...builtRules,
  ...functionRules,
  ...dataRules,
  ...changeoverRules,
  ...machineryRules,
];
