import { type BodyCall, bodyOf } from "./body-calls.js";
import type { ChangedFile, ChangeSet, ItemChange } from "./change-set.js";
import type { FunctionItem, SourceFile } from "./item.js";
import { oncePer } from "./once.js";
import { changesOf } from "./sides.js";

/** A function that the patch changes, adds or removes, with what it calls. */
export interface ChangedBody {
  readonly file: ChangedFile;
  readonly change: ItemChange<FunctionItem>;
  readonly name: string;
  /**
   * Calls of each side; a call of a helper that the patch adds (before: removes) is followed by the helper's own calls, as if
   * they stood there: code that is only moved into a new function does the same as before.
   */
  readonly before: readonly BodyCall[];
  readonly after: readonly BodyCall[];
}

/** Every function of the patch that the configuration does not leave out; read once for each change set. */
export const changedBodies = oncePer((changes: ChangeSet): readonly ChangedBody[] => {
  const all = changes.files.flatMap((file) =>
    changesOf(file, "function")
      .filter(({ before, after }) => (after ?? before)?.kept !== "no")
      .map((change) => ({ file, change })),
  );
  const added = new Map<string, Helper>();
  const removed = new Map<string, Helper>();
  for (const { file, change } of all) {
    const { name, before, after } = change;
    if (!before && after && file.after) added.set(name, { file: file.after, item: after });
    if (!after && before && file.before) removed.set(name, { file: file.before, item: before });
  }
  return all.map(({ file, change }): ChangedBody => {
    const { name, before, after } = change;
    return {
      file,
      change,
      name,
      before: before && file.before ? withHelpers({ file: file.before, item: before }, removed, [name]) : [],
      after: after && file.after ? withHelpers({ file: file.after, item: after }, added, [name]) : [],
    };
  });
});

/** Whether the patched function of that body calls the function of that name, itself or in a helper that the patch adds. */
export function callsAfter(body: ChangedBody, name: string): boolean {
  return body.after.some((call) => call.name === name);
}

interface Helper {
  readonly file: SourceFile;
  readonly item: FunctionItem;
}

function withHelpers(
  from: Helper,
  helpers: ReadonlyMap<string, Helper>,
  within: readonly string[],
): BodyCall[] {
  return bodyOf(from.file, from.item).calls.flatMap((call) => {
    const helper =
      within.length > MAX_DEPTH || within.includes(call.name) ? undefined : helpers.get(call.name);
    if (!helper || !isSeenFrom(from.file, helper)) return [call];
    const inner = withHelpers(helper, helpers, [...within, call.name]);
    const { start, end } = call;
    return [call, ...inner.map((one) => ({ ...one, start, end, leaves: one.leaves || call.leaves }))];
  });
}

/** What is static in a `.c` file is that file's own. */
function isSeenFrom(file: SourceFile, helper: Helper): boolean {
  return !helper.item.isStatic || helper.file.path === file.path || helper.file.path.endsWith(".h");
}

const MAX_DEPTH = 4;
