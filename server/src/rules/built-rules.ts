import type { SourceRule } from "./inspection.js";

/** In the order in which they are asked. */
export const builtRules: readonly SourceRule[] = [];
