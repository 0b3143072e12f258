import { type Static, Type } from "typebox";
import type { Immutable } from "../review/immutable.js";

const closed = { additionalProperties: false } as const;
const arch = Type.Enum(["x86_64", "arm64"]);

/** Schema of the kernel room's `KernelProfile`, which `kernel add` and `kernel show` print; a test keeps them the same. */
export const KernelProfile = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    id: Type.String({ description: "what --kernel takes" }),
    arch,
    release: Type.String({ description: "what 'uname -r' says there" }),
    image: Type.String(),
    config: Type.String(),
    moduleSymvers: Type.String(),
    source: Type.String({ description: "pristine source tree that the image was built from" }),
    build: Type.String({ description: "Kbuild output folder" }),
    modules: Type.String(),
    symbolTable: Type.String({ description: "kallsyms of a boot without address randomisation" }),
    busybox: Type.String(),
    compiler: Type.Object(
      {
        command: Type.String(),
        version: Type.String({ description: "on this machine" }),
        builtWith: Type.String({ description: "CONFIG_CC_VERSION_TEXT of the image" }),
        cc1: Type.Optional(Type.String({ description: "folder with the image's own compiler, emulated" })),
      },
      closed,
    ),
    makeVariables: Type.Record(Type.String(), Type.String()),
    configDrift: Type.Array(Type.String(), {
      description: "options that differ from the image's and matter to code",
    }),
    origin: Type.String({ description: "package and version, or commit" }),
  },
  closed,
);

/** What `kernel list` prints. */
export type KernelProfileList = Immutable<Static<typeof KernelProfileList>>;
export const KernelProfileList = Type.Object(
  { schemaVersion: Type.Literal(1), profiles: Type.Array(KernelProfile) },
  closed,
);

/** What `kernel list --available` prints: kernels that could be added now. */
export type AvailableKernelList = Immutable<Static<typeof AvailableKernelList>>;
export const AvailableKernelList = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    kernels: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          release: Type.String(),
          arch,
          version: Type.String({ description: "of the image's package" }),
          sourcePackage: Type.String(),
          sourceVersion: Type.String(),
        },
        closed,
      ),
    ),
  },
  closed,
);
