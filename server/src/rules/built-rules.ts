import { assemblyChanged } from "./built/assembly-changed.js";
import { buildInputChanged } from "./built/build-input-changed.js";
import { compiledOut } from "./built/compiled-out.js";
import { headerFanOut } from "./built/header-fan-out.js";
import { libraryArchiveObject } from "./built/library-archive-object.js";
import { lineShift } from "./built/line-shift.js";
import { noConfiguration } from "./built/no-configuration.js";
import { notBuilt } from "./built/not-built.js";
import { uapiChanged } from "./built/uapi-changed.js";
import { unreadSource } from "./built/unread-source.js";
import { userMappedCode } from "./built/user-mapped-code.js";
import type { SourceRule } from "./inspection.js";

/** In the order in which they are asked. */
export const builtRules: readonly SourceRule[] = [
  noConfiguration,
  unreadSource,
  buildInputChanged,
  assemblyChanged,
  userMappedCode,
  notBuilt,
  libraryArchiveObject,
  compiledOut,
  uapiChanged,
  headerFanOut,
  lineShift,
];
