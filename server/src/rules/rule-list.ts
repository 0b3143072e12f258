import { type Static, Type } from "typebox";
import type { Immutable } from "../review/immutable.js";
import { SEVERITIES, WITNESSES } from "./rule.js";

/** What `hotpatch rules --json` prints. */
export type RuleList = Immutable<Static<typeof RuleList>>;
export const RuleList = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    rules: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          severity: Type.Enum(SEVERITIES, {
            description: "by default; a witness may weigh one case differently",
          }),
          witnesses: Type.Array(Type.Enum(WITNESSES), { minItems: 1 }),
          summary: Type.String(),
          why: Type.String(),
          remedy: Type.String(),
          sources: Type.Optional(
            Type.Array(Type.String(), { description: "where the kernel, or another public source, says so" }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
