import type { DataItem } from "../../change/item.js";
import { changedFunctions, changesOf, placeOfNode } from "../../change/sides.js";
import { STATIC, staticLocals } from "../../change/static-locals.js";
import type { SourceRule } from "../inspection.js";
import { codeText } from "./code-text.js";

/** @see docs/rules/percpu-changed.md */
export const percpuChanged: SourceRule = {
  id: "percpu-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "per-CPU data was added, removed, resized or re-initialised",
  why: "The kernel's per-CPU area was laid out at boot with one copy per processor: its content and size are fixed now.",
  remedy: "Allocate per-CPU memory in a callback (alloc_percpu) and reach it by a pointer.",
  sources: ["include/linux/percpu-defs.h", "mm/percpu.c, pcpu_embed_first_chunk"],
  *check({ file }) {
    for (const { before, after, place, name } of changesOf(file, "data")) {
      const old = defined(before);
      const now = defined(after);
      if (
        (!old && !now) ||
        (old && now && old.type === now.type && old.initial === now.initial && old.macro === now.macro)
      )
        continue;
      yield { at: place, symbol: name, message: `per-CPU variable '${name}' ${what(old, now)}` };
    }
    for (const { change, before, after } of changedFunctions(file, STATIC)) {
      const perCpu = (body: typeof after) =>
        body ? staticLocals(body).filter((local) => local.isPerCpu) : [];
      const [old, now] = [perCpu(before), perCpu(after)];
      for (const { name, type, at } of now) {
        const was = old.find((local) => local.name === name);
        if (was?.type === type) continue;
        yield {
          at: placeOfNode(file, at),
          symbol: change.name,
          message: `per-CPU variable '${name}' of '${change.name}' is ${was ? "declared in another way" : "new"}`,
        };
      }
      for (const { name } of old)
        if (!now.some((local) => local.name === name))
          yield {
            at: change.place,
            symbol: change.name,
            message: `per-CPU variable '${name}' of '${change.name}' is gone`,
          };
    }
  },
};

function defined(item: DataItem | undefined): DataItem | undefined {
  return item?.isPerCpu && !item.isExtern && item.kept !== "no" ? item : undefined;
}

function what(before: DataItem | undefined, after: DataItem | undefined): string {
  if (!before) return "is new: the area of each processor has no room for it";
  if (!after) return "is gone: its place in the area of each processor stays";
  if (before.type !== after.type)
    return `is defined with (${codeText(after.type)}) instead of (${codeText(before.type)})`;
  if (before.macro !== after.macro) return `is defined by ${after.macro} instead of ${before.macro}`;
  return `starts as ${after.initial ?? "zero"} instead of ${before.initial ?? "zero"}`;
}
