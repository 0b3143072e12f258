import { type Static, Type } from "typebox";
import type { Immutable } from "../review/immutable.js";

const closed = { additionalProperties: false } as const;

/** What this machine has and lacks; what `hotpatch doctor --json` prints. */
export type DoctorReport = Immutable<Static<typeof DoctorReport>>;
export const DoctorReport = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    ready: Type.Boolean({ description: "kernels of this machine's own architecture can be reviewed" }),
    requirements: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          kernels: Type.Enum(["all", "x86_64", "arm64"], { description: "which kernels need it" }),
          purpose: Type.String(),
          package: Type.String({ description: "Debian's package" }),
          found: Type.Union([Type.String(), Type.Null()], {
            description: "what was found, such as a version; null when missing",
          }),
        },
        closed,
      ),
    ),
    install: Type.Union([Type.String(), Type.Null()], {
      description: "the command that installs what is missing; null when nothing is",
    }),
    kvm: Type.Object({ usable: Type.Boolean(), reason: Type.String() }, closed),
    disk: Type.Object(
      {
        cache: Type.String({ description: "the folder that kernels are kept in" }),
        freeBytes: Type.Integer({ minimum: 0 }),
        enough: Type.Boolean({ description: "for one more kernel with its source" }),
      },
      closed,
    ),
  },
  closed,
);
