import { type Static, Type } from "typebox";
import type { Immutable } from "../review/immutable.js";

/** What this machine has and lacks; what `hotpatch doctor --json` prints. */
export type DoctorReport = Immutable<Static<typeof DoctorReport>>;
export const DoctorReport = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    ready: Type.Boolean({ description: "everything that is not optional was found" }),
    requirements: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          why: Type.String({ description: "what it is for" }),
          found: Type.Optional(
            Type.String({ description: "a version or the like; absent when it is missing" }),
          ),
          optional: Type.Boolean({ description: "work goes on without it, only slower" }),
          package: Type.Optional(Type.String({ description: "the Debian package that brings it" })),
          remedy: Type.Optional(Type.String({ description: "what to do where no package helps" })),
        },
        { additionalProperties: false },
      ),
    ),
    install: Type.Union([Type.String(), Type.Null()], {
      description: "the command that installs what Debian has of it; null when there is nothing to install",
    }),
  },
  { additionalProperties: false },
);
