import type { Call } from "../../change/calls.js";
import type { FunctionItem, SourceFile } from "../../change/item.js";
import { changesOf, placeOfNode } from "../../change/sides.js";
import type { SourceRule } from "../inspection.js";
import { alwaysOnStack } from "./always-on-stack.js";
import { hasChangedCode } from "./changed-code.js";
import { maySleepUnbounded, unboundedSleeps } from "./sleeps.js";

/** @see docs/rules/long-sleeper.md */
export const longSleeper: SourceRule = {
  id: "long-sleeper",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "the changed function sleeps without bound",
  why: "A task that sleeps in it cannot be switched to the new code until it wakes up, and the transition waits for that. Sleepers that take signals are woken by livepatch after some seconds; the others, and kernel threads, are not.",
  remedy:
    "Patch a function that it calls instead, or see to it that its sleepers are woken while the patch is loaded.",
  sources: ["Documentation/livepatch/livepatch.rst, 3. Consistency model"],
  *check({ file, facts }) {
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || change.after.kept === "no") continue;
      const { name, place } = change;
      const [old] = sleepsOf(file.before, change.before);
      const [now] = sleepsOf(file.after, change.after);
      // The loop of a kernel thread is the business of never-returns-on-stack.
      if ((!old && !now) || alwaysOnStack(file, facts, change.before)) continue;
      yield {
        at: now ? placeOfNode(file, now.at) : place,
        symbol: name,
        message: old
          ? `tasks sleep in '${name}' for as long as ${waited(old)} lasts: they keep the old code, and the transition from ending`
          : `'${name}' now sleeps for as long as ${now ? waited(now) : "it must"} lasts: taking the patch away again waits for its sleepers`,
      };
    }
  },
};

function sleepsOf(file: SourceFile | undefined, item: FunctionItem): Call[] {
  return file && maySleepUnbounded(item.body) ? unboundedSleeps(file.syntax(item)) : [];
}

function waited({ name, node }: Call): string {
  const text = node.text.replace(/\s+/g, " ");
  return text.length <= 60 ? text : `its ${name}()`;
}
