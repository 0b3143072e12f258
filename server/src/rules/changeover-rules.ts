import { callbackPairing } from "./changeover/callback-pairing.js";
import { escapingPointer } from "./changeover/escaping-pointer.js";
import { initialiseElsewhere } from "./changeover/initialise-elsewhere.js";
import { lockSemantics } from "./changeover/lock-semantics.js";
import { refcountSemantics } from "./changeover/refcount-semantics.js";
import { shadowLifetime } from "./changeover/shadow-lifetime.js";
import type { SourceRule } from "./inspection.js";

/** In the order in which they are asked. */
export const changeoverRules: readonly SourceRule[] = [
  lockSemantics,
  refcountSemantics,
  initialiseElsewhere,
  escapingPointer,
  callbackPairing,
  shadowLifetime,
];
