import { type Body, bodyOf, placeOfCall } from "../../change/body-calls.js";
import type { ChangedFile, ChangeSet } from "../../change/change-set.js";
import { changedBodies } from "../../change/changed-bodies.js";
import type { DataItem, FunctionItem } from "../../change/item.js";
import { livepatchCallbacks, UNPATCH } from "../../change/livepatch-callbacks.js";
import { oncePer } from "../../change/once.js";
import { endsRegistration, type Registration, registrationOf } from "../../change/registrations.js";
import { changesOf } from "../../change/sides.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/escaping-pointer.md */
export const escapingPointer: SourceRule = {
  id: "escaping-pointer",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "the address of new code or data is stored where it outlives the patch",
  why: "When the patch is unloaded, what still points into it dangles. The address of a function that the patch only replaces is no such pointer: stored, it is that of the original, which leads to the new code for as long as the patch is on.",
  remedy: "Cancel it in a post-unpatch callback, or never unload the patch.",
  sources: [
    "Documentation/livepatch/livepatch.rst, section 5.5, Removing",
    "Documentation/livepatch/callbacks.rst, section 2, Callback types",
  ],
  *check({ file, changes }) {
    const news = newNames(file, changes);
    if (news.size === 0) return;
    const told = new Set<string>();
    for (const { after, name } of changesOf(file, "function")) {
      if (!after || !file.after || after.kept === "no") continue;
      for (const stored of storesIn(bodyOf(file.after, after), news)) {
        if (told.has(stored.name) || isEnded(stored.keeper, changes)) continue;
        told.add(stored.name);
        const { header, keeper } = stored.keeper;
        yield {
          at: placeOfCall(file, stored),
          symbol: stored.name,
          message: `'${name}' leaves the address of ${news.get(stored.name)} '${stored.name}' in ${keeper}, which may outlive the patch`,
          ...(header !== "" && stored.keeper.ends.length > 0
            ? {
                remedy: `End it in a post-unpatch callback (${stored.keeper.ends.slice(0, 3).join(", ")}), or never unload the patch.`,
              }
            : {}),
        };
      }
    }
  },
};

interface Stored {
  readonly name: string;
  readonly keeper: Registration;
  readonly start: number;
  readonly end: number;
}

/** Names of functions and variables that come with the patch and that this file can mean, with what they are. */
function newNames(file: ChangedFile, changes: ChangeSet): ReadonlyMap<string, string> {
  const seen = newItems(changes).filter(({ isStatic, file: from }) => !isStatic || from === file.path);
  return new Map(
    seen.map(({ name, kind }) => [name, kind === "function" ? "the new function" : "the new variable"]),
  );
}

const newItems = oncePer((changes: ChangeSet): readonly (FunctionItem | DataItem)[] =>
  changes.changes.flatMap(({ before, after }) => {
    if (before || !after || after.kept === "no") return [];
    return after.kind === "function" || (after.kind === "data" && !after.isExtern) ? [after] : [];
  }),
);

const MEMBER: Registration = { header: "", call: /^$/, keeper: "a live object", ends: [] };

function* storesIn({ tokens, calls }: Body, news: ReadonlyMap<string, string>): Generator<Stored> {
  for (const call of calls) {
    const keeper = registrationOf(call.name);
    if (!keeper || news.has(call.name)) continue;
    for (const argument of call.arguments) {
      const [, amp, name = ""] = /^(& )?([A-Za-z_]\w*)(?: (?:\.|->) .*)?$/.exec(argument) ?? [];
      // A variable's value is not its address.
      if (amp === undefined && news.get(name) !== "the new function") continue;
      if (news.has(name)) yield { name, keeper, start: call.start, end: call.end };
    }
  }
  for (const [at, { text, start }] of tokens.entries()) {
    if (!news.has(text)) continue;
    const isAddress = tokens[at - 1]?.text === "&";
    if (!isAddress && news.get(text) !== "the new function") continue;
    const equals = isAddress ? at - 2 : at - 1;
    // Through a pointer: a structure on the stack ends with the function.
    if (tokens[equals]?.text !== "=" || tokens[at + 1]?.text !== ";" || tokens[equals - 2]?.text !== "->")
      continue;
    const member = tokens[equals - 1]?.text ?? "";
    yield {
      name: text,
      keeper: { ...MEMBER, keeper: `'${member}' of a live object` },
      start,
      end: start + text.length,
    };
  }
}

/** Whether a callback of the patch takes it back when the patch goes. */
function isEnded(keeper: Registration, changes: ChangeSet): boolean {
  const handlers = new Set(
    livepatchCallbacks(changes)
      .filter(({ kind }) => UNPATCH.has(kind))
      .map(({ handler }) => handler),
  );
  return changedBodies(changes).some(
    ({ name, after }) => handlers.has(name) && after.some((call) => endsRegistration(keeper, call.name)),
  );
}
