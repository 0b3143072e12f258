import { type Static, Type } from "typebox";
import { SEVERITIES, WITNESSES } from "../rules/rule.js";
import type { Immutable } from "./immutable.js";

const counted = Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
  description: "counts from 1; null when not known",
});

const counted1 = Type.Integer({ minimum: 1 });

const place = {
  file: Type.Union([Type.String(), Type.Null()], {
    description: "relative to the root of the kernel tree; null when no single file is meant",
  }),
  line: counted,
  column: counted,
  endLine: counted,
  endColumn: counted,
};

/** A further place that belongs to a finding. */
export type Location = Immutable<Static<typeof Location>>;
export const Location = Type.Object(
  { ...place, message: Type.String({ description: "what is to be seen there" }) },
  { additionalProperties: false },
);

/** One thing a witness saw, as every front end shows it. */
export type Finding = Immutable<Static<typeof Finding>>;
export const Finding = Type.Object(
  {
    rule: Type.String({ description: "id, explained by 'hotpatch rules ID'" }),
    severity: Type.Enum(SEVERITIES),
    witness: Type.Enum(WITNESSES),
    ...place,
    symbol: Type.Optional(Type.String()),
    message: Type.String({ description: "one sentence about this very code" }),
    why: Type.String({ description: "why it matters to a running kernel" }),
    remedy: Type.String({ description: "what to do about it" }),
    detail: Type.Optional(
      Type.String({ description: "evidence of several lines: a compiler's message, a stack, a log excerpt" }),
    ),
    excerpt: Type.Optional(
      Type.Object(
        { text: Type.String({ description: "the code line that is meant, of the patched file" }) },
        { additionalProperties: false },
      ),
    ),
    related: Type.Array(Location),
    fixes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            title: Type.String(),
            edits: Type.Array(
              Type.Object(
                {
                  file: Type.String(),
                  line: counted1,
                  column: counted1,
                  endLine: counted1,
                  endColumn: counted1,
                  text: Type.String({
                    description: "what takes the place of that stretch of the patched file",
                  }),
                },
                { additionalProperties: false },
              ),
            ),
          },
          { additionalProperties: false },
        ),
        { description: "changes that a machine can make for the author" },
      ),
    ),
    confirmed: Type.Optional(
      Type.Object(
        { witness: Type.Enum(WITNESSES) },
        { additionalProperties: false, description: "a stronger witness saw the same" },
      ),
    ),
    contradicted: Type.Optional(
      Type.Object(
        { witness: Type.Enum(WITNESSES), message: Type.String() },
        {
          additionalProperties: false,
          description: "a stronger witness looked and did not see it; the weight is then needs-review",
        },
      ),
    ),
    suppressed: Type.Optional(
      Type.Object(
        { reason: Type.String() },
        { additionalProperties: false, description: "the author's reason to set this finding aside" },
      ),
    ),
  },
  { additionalProperties: false },
);
