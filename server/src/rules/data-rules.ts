import { staticDataChanged } from "./data/static-data-changed.js";
import type { SourceRule } from "./inspection.js";

/** In the order in which they are asked. */
export const dataRules: readonly SourceRule[] = [staticDataChanged];
