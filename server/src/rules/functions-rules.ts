import { exitCode } from "./functions/exit-code.js";
import { functionRemoved } from "./functions/function-removed.js";
import { initCode } from "./functions/init-code.js";
import { inlineFanOut } from "./functions/inline-fan-out.js";
import { inlineNotTraceable } from "./functions/inline-not-traceable.js";
import { longSleeper } from "./functions/long-sleeper.js";
import { macroFanOut } from "./functions/macro-fan-out.js";
import { neverReturnsOnStack } from "./functions/never-returns-on-stack.js";
import { notTraceable } from "./functions/not-traceable.js";
import { probePath } from "./functions/probe-path.js";
import { prototypeChanged } from "./functions/prototype-changed.js";
import { syscallWrapper } from "./functions/syscall-wrapper.js";
import { weakFunction } from "./functions/weak-function.js";
import type { SourceRule } from "./inspection.js";

/** In the order in which they are asked. */
export const functionRules: readonly SourceRule[] = [
  initCode,
  exitCode,
  probePath,
  notTraceable,
  inlineNotTraceable,
  inlineFanOut,
  macroFanOut,
  weakFunction,
  syscallWrapper,
  neverReturnsOnStack,
  longSleeper,
  prototypeChanged,
  functionRemoved,
];
