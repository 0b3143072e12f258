import type { SourceRule } from "./inspection.js";
import { exportChanged } from "./machinery/export-changed.js";
import { jumpLabel } from "./machinery/jump-label.js";
import { lateModule } from "./machinery/late-module.js";
import { moduleInterface } from "./machinery/module-interface.js";
import { noReliableStacks } from "./machinery/no-reliable-stacks.js";
import { staticCall } from "./machinery/static-call.js";
import { symbolNamespace } from "./machinery/symbol-namespace.js";
import { syscallTableChanged } from "./machinery/syscall-table-changed.js";
import { tracepointChanged } from "./machinery/tracepoint-changed.js";

/** In the order in which they are asked. */
export const machineryRules: readonly SourceRule[] = [
  exportChanged,
  symbolNamespace,
  jumpLabel,
  staticCall,
  tracepointChanged,
  syscallTableChanged,
  moduleInterface,
  lateModule,
  noReliableStacks,
];
