import { constantMeaning } from "./data/constant-meaning.js";
import { dataAdded } from "./data/data-added.js";
import { dataLayout } from "./data/data-layout.js";
import { dataLayoutLocal } from "./data/data-layout-local.js";
import { onceMacro } from "./data/once-macro.js";
import { opsTableChanged } from "./data/ops-table-changed.js";
import { percpuChanged } from "./data/percpu-changed.js";
import { staticDataChanged } from "./data/static-data-changed.js";
import { staticLocalAdded } from "./data/static-local-added.js";
import { staticLocalRemoved } from "./data/static-local-removed.js";
import type { SourceRule } from "./inspection.js";

/** In the order in which they are asked. */
export const dataRules: readonly SourceRule[] = [
  dataLayout,
  dataLayoutLocal,
  staticDataChanged,
  opsTableChanged,
  staticLocalRemoved,
  staticLocalAdded,
  dataAdded,
  percpuChanged,
  onceMacro,
  constantMeaning,
];
