import { unitAppears } from "@kernel-hotpatch/kernel/build/units";
import { firstChange } from "../../change/first-change.js";
import type { SourceRule } from "../inspection.js";
import { saidOfFileKind } from "./said-of-file-kind.js";

/** @see docs/rules/build-input-changed.md */
export const buildInputChanged: SourceRule = {
  id: "build-input-changed",
  severity: "unsafe",
  witnesses: ["source"],
  summary: "a build file, a tool or another input of the build changed, or a file came or went",
  why: "It acts while a kernel is built; the running kernel was built without it.",
  remedy: "Reboot into a newly built kernel, or bring the effect about in C.",
  sources: ["Documentation/kbuild/makefiles.rst"],
  *check({ file }) {
    const { path, kind, existedBefore, existsAfter } = file;
    yield* saidOfFileKind(file, "build-input-changed");
    if (kind.role !== "unit" || existedBefore === existsAfter) return;
    yield {
      at: firstChange(file),
      message: unitAppears(path, !existedBefore).message,
      remedy: existedBefore
        ? "Keep the file; make its functions do nothing where that is the aim."
        : "Move the new functions into a file that the kernel already compiles.",
    };
  },
};
