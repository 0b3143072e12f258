import type { SourceRule } from "./inspection.js";

/** In the order in which they are asked. */
export const changeoverRules: readonly SourceRule[] = [];
