import { Type } from "typebox";

const observation = Type.Object(
  {
    rule: Type.String(),
    message: Type.String(),
    symbol: Type.Optional(Type.String()),
    section: Type.Optional(Type.String()),
    file: Type.Optional(Type.String({ description: "relative to the root of the kernel tree" })),
    line: Type.Optional(Type.Integer({ minimum: 1 })),
    column: Type.Optional(Type.Integer({ minimum: 1 })),
    severity: Type.Optional(Type.Enum(["unsafe", "needs-review", "info"])),
    detail: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

/** Schema of the kernel room's `ObjectDiff`; a test keeps the two the same. */
export const ObjectDiff = Type.Object(
  {
    orig: Type.String(),
    patched: Type.String(),
    arch: Type.Enum(["x86_64", "arm64", "ppc64le", "s390x"]),
    outcome: Type.Enum(["carried", "refused", "unchanged"]),
    changed: Type.Array(Type.String(), { description: "functions whose code differs" }),
    new: Type.Array(Type.String(), { description: "functions that only PATCHED.o has" }),
    removed: Type.Array(Type.String(), { description: "functions that only ORIG.o has" }),
    data: Type.Array(
      Type.Object({ name: Type.String(), why: Type.String() }, { additionalProperties: false }),
    ),
    refusals: Type.Array(observation),
    remarks: Type.Array(observation, { description: "worth knowing, yet no reason to refuse" }),
  },
  { additionalProperties: false },
);
