import { firstChange } from "../../change/first-change.js";
import type { SourceRule } from "../inspection.js";
import { listed } from "../listed.js";

/** @see docs/rules/uapi-changed.md */
export const uapiChanged: SourceRule = {
  id: "uapi-changed",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "a header of the interface to user space changed in more than comments",
  why: "Programs keep the meaning that they were compiled with.",
  remedy: "Make sure that the old meaning stays valid.",
  sources: ["Documentation/process/adding-syscalls.rst", "include/uapi/"],
  *check({ file }) {
    if (file.kind.observation?.rule !== "uapi-changed" || file.isCosmetic) return;
    const altered = file.changes.filter(({ before }) => before);
    const [first] = altered;
    if (!first) {
      const [added] = file.changes;
      yield {
        at: firstChange(file),
        severity: "info",
        ...(added && { symbol: added.name }),
        message: `${file.path} only gains ${named(file.changes)}; programs that were compiled before do not know it`,
        remedy: "Nothing to do where the kernel goes on without it.",
      };
      return;
    }
    yield {
      at: first.place,
      symbol: first.name,
      message: `${file.path} is part of the interface to user space and changes ${named(altered)}; programs keep the meaning they were compiled with`,
    };
  },
};

function named(changes: readonly { readonly name: string }[]): string {
  return listed([...new Set(changes.map(({ name }) => `'${name}'`))]);
}
