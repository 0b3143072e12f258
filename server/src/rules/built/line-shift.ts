import type { ChangedFile } from "../../change/change-set.js";
import { firstChange } from "../../change/first-change.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/line-shift.md */
export const lineShift: SourceRule = {
  id: "line-shift",
  severity: "info",
  witnesses: ["source", "object"],
  summary: "code differs only in line numbers handed to WARN, BUG, might_sleep or lockdep",
  why: "Lines moved, behaviour did not; redirecting such functions would only add risk.",
  remedy: "Nothing to do: they are left alone.",
  sources: [
    "include/asm-generic/bug.h",
    "kpatch patch author guide, Dealing with unexpected changed functions",
  ],
  *check({ file }) {
    // Beside a real change it goes without saying: the object diff leaves such functions alone.
    if (!file.isCosmetic) return;
    const user = functionThatMoves(file);
    if (user === undefined) return;
    yield {
      at: firstChange(file),
      symbol: user.name,
      message: `only lines move; '${user.name}' and its like hand their line number to ${user.macro}, and change in nothing else`,
    };
  },
};

/** The first function behind a moved line that is compiled with its line number. */
function functionThatMoves({ after, hunks }: ChangedFile): { name: string; macro: string } | undefined {
  const moved = hunks.find(({ before, after: now }) => before.count !== now.count);
  if (!after || !moved) return undefined;
  for (const item of after.items) {
    if (item.kind !== "function" || item.kept === "no" || item.endLine < moved.after.start) continue;
    const macro = LINE_USERS.exec(item.body)?.[1];
    if (macro !== undefined) return { name: item.name, macro };
  }
  return undefined;
}

const LINE_USERS =
  /(?:^| )(__LINE__|(?!BUILD_)(?:\w+_)?(?:WARN|BUG)(?:_ON)?(?:_ONCE|_RATELIMIT)?|might_sleep|lockdep_assert\w*)(?= \(|$)/;
