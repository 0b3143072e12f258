import type { ItemChange } from "../../change/change-set.js";
import { purposeOfMacro } from "../../change/file-scope-macros.js";
import type { CallItem } from "../../change/item.js";
import { changesOf } from "../../change/sides.js";
import { mentions } from "../../change/tokens.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/tracepoint-changed.md */
export const tracepointChanged: SourceRule = {
  id: "tracepoint-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "a tracepoint or trace event was added or changed",
  why: "Trace events are registered at boot or at module load, and what they record is described to user space then.",
  remedy: "Use trace_printk, or leave the tracepoint out.",
  sources: ["Documentation/trace/tracepoints.rst", "include/linux/tracepoint.h"],
  *check({ file }) {
    for (const { before, after, place } of changesOf(file, "call").filter(isEvent)) {
      const item = after ?? before;
      if (!item || item.kept === "no") continue;
      const name = eventName(item);
      if (!before) {
        yield {
          at: place,
          symbol: name,
          message: `the trace event '${name}' (${item.macro}) is new; the running kernel has no place for it`,
        };
      } else if (after) {
        yield {
          at: place,
          symbol: name,
          message: `the trace event '${name}' (${item.macro}) changed; the running kernel registered the old one`,
          remedy: "Leave the event as it is; trace_printk can say more.",
        };
      } else {
        yield {
          at: place,
          symbol: name,
          severity: "needs-review",
          message: `the trace event '${name}' (${item.macro}) is removed; it stays registered and goes silent`,
          why: "Programs that listen to the event go on waiting for it.",
          remedy: "Keep the event and its calls where they do no harm.",
        };
      }
    }
    // Macros within an event's description, such as show_flags(): the event that uses one changes with it.
    for (const { before, after, name, place } of changesOf(file, "macro")) {
      if (!before || !after || after.kept === "no") continue;
      const user = file.after?.items.find(
        (item): item is CallItem => item.kind === "call" && isEventItem(item) && mentions(item.tokens, name),
      );
      if (!user || file.changes.some((change) => change.after === user)) continue;
      yield {
        at: place,
        symbol: name,
        message: `'${name}' is part of the trace event '${eventName(user)}', which the running kernel has registered`,
        remedy: "Leave the event's description as it is.",
      };
    }
  },
};

function isEvent({ before, after }: ItemChange<CallItem>): boolean {
  const item = after ?? before;
  return item !== undefined && isEventItem(item);
}

function isEventItem(item: CallItem): boolean {
  return purposeOfMacro(item.macro) === "trace-event";
}

/** DEFINE_EVENT(class, event, …) names the class first (include/linux/tracepoint.h). */
function eventName({ macro, arguments: [first = "", second = ""] }: CallItem): string {
  return /^DEFINE_EVENT/.test(macro) && second !== "" ? second : first;
}
