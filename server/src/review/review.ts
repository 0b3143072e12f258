import { type Static, Type } from "typebox";
import { WITNESSES } from "../rules/rule.js";
import { Finding } from "./finding.js";
import type { Immutable } from "./immutable.js";
import { ObjectDiff } from "./object-diff.js";

const closed = { additionalProperties: false } as const;
const sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });

const tool = Type.Object({ name: Type.Literal("kernel-hotpatch"), version: Type.String() }, closed);

const kernel = Type.Object(
  {
    id: Type.String({ description: "the profile's name, as --kernel takes it" }),
    arch: Type.Enum(["x86_64", "arm64"]),
    release: Type.String({ description: "what 'uname -r' says there" }),
  },
  closed,
);

const verdict = Type.Enum(["safe", "needs-review", "unsafe"], {
  description: "computed from the findings alone",
});

const sandbox = Type.Object(
  {
    accelerator: Type.Enum(["kvm", "emulation"]),
    outcome: Type.Enum(["finished", "panicked", "hung", "died"]),
    steps: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          outcome: Type.Enum(["passed", "failed", "skipped"]),
          seconds: Type.Number(),
          output: Type.Array(Type.String(), { description: "what the step printed, line by line" }),
        },
        closed,
      ),
    ),
    kernelLog: Type.String({ description: "everything the guest's console printed" }),
    seconds: Type.Number(),
  },
  closed,
);

/** What the witnesses say about one patch on one kernel; `build` prints it without `sandbox`. */
export type Review = Immutable<Static<typeof Review>>;
export const Review = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    tool,
    kernel,
    patch: Type.Object(
      {
        files: Type.Array(Type.String(), { description: "what the patch touches, sorted" }),
        sha256: Type.String({ ...sha256, description: "of the patches' bytes, in order" }),
      },
      closed,
    ),
    verdict,
    witnesses: Type.Array(Type.Enum(WITNESSES), {
      description: "who was asked; the verdict is theirs alone",
    }),
    findings: Type.Array(Finding),
    objects: Type.Optional(Type.Array(ObjectDiff)),
    runPre: Type.Optional(
      Type.Array(
        Type.Object(
          {
            unit: Type.String({ description: "source file, relative to the root of the kernel tree" }),
            object: Type.String({ description: "'vmlinux' or the module's name" }),
            name: Type.String(),
            outcome: Type.Enum(["matched", "mismatch", "unknown"]),
            reason: Type.Optional(Type.String({ description: "absent when it matched" })),
          },
          closed,
        ),
        { description: "functions to be replaced, held against the code in the kernel's image or module" },
      ),
    ),
    module: Type.Optional(
      Type.Object(
        {
          path: Type.String(),
          sha256,
          name: Type.String({ description: "under /sys/module and /sys/kernel/livepatch" }),
          backend: Type.Enum(["livepatch", "ftrace"]),
          core: Type.Optional(Type.String({ description: "module to be loaded before it" })),
          objects: Type.Array(Type.String(), { description: "'vmlinux' or names of modules, sorted" }),
          functions: Type.Array(
            Type.Object(
              {
                object: Type.String(),
                name: Type.String(),
                sympos: Type.Integer({
                  minimum: 0,
                  description: "position among equal names, from 1; 0 when the name is unique",
                }),
              },
              closed,
            ),
          ),
          callbacks: Type.Array(
            Type.Object(
              {
                object: Type.String(),
                kind: Type.Enum(["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"]),
                name: Type.String(),
              },
              closed,
            ),
            { description: "functions of the patch that the livepatch core calls" },
          ),
          states: Type.Array(
            Type.Object({ id: Type.Integer({ minimum: 1 }), version: Type.Integer({ minimum: 0 }) }, closed),
            { description: "system states that the patch declares to change" },
          ),
          replace: Type.Boolean({ description: "whether it takes the place of all patches before it" }),
        },
        closed,
      ),
    ),
    sandbox: Type.Optional(sandbox),
  },
  closed,
);

/** What a booted kernel says about a `patch.ko` whose source is not at hand. */
export type TestReport = Immutable<Static<typeof TestReport>>;
export const TestReport = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    tool,
    kernel,
    module: Type.Object({ path: Type.String(), sha256 }, closed),
    verdict,
    findings: Type.Array(Finding),
    sandbox,
  },
  closed,
);
