import { type Static, Type } from "typebox";
import type { Immutable } from "../review/immutable.js";

/** What `kernel diff --json` prints. */
export type SourceDiff = Immutable<Static<typeof SourceDiff>>;
export const SourceDiff = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    from: Type.String({ description: "a profile's id" }),
    to: Type.String({ description: "a profile's id" }),
    patch: Type.String({ description: "unified diff; empty when the sources are the same" }),
  },
  { additionalProperties: false },
);
