import { dirname } from "node:path";
import { bodyOf, lastName, placeOfCall } from "../../change/body-calls.js";
import type { ChangeSet } from "../../change/change-set.js";
import { type ChangedBody, callsAfter, changedBodies } from "../../change/changed-bodies.js";
import type { FunctionItem, SourceFile } from "../../change/item.js";
import { oncePer } from "../../change/once.js";
import { namesIn } from "../../change/tokens.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/initialise-elsewhere.md */
export const initialiseElsewhere: SourceRule = {
  id: "initialise-elsewhere",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "new code uses state of an object that only new code sets up",
  why: "Objects that exist when the patch comes were set up by the old code. The new code that uses them finds what was there before: zeros, or nothing valid.",
  remedy:
    "Let the code that uses it test whether it was set up and bear with objects where it was not, or keep the state in a shadow variable, whose absence tells.",
  sources: [
    "Documentation/livepatch/shadow-vars.rst, section 2, In-flight parent objects and Other use-cases",
    "Documentation/livepatch/callbacks.rst, section 4, __init and probe function patches support",
  ],
  *check({ file, changes }) {
    const own = changedBodies(changes).filter((body) => body.file === file);
    const ofPatch = addedMembers(changes);
    const told = new Set<string>();
    for (const setter of own) {
      for (const setup of setupsIn(setter)) {
        const { member, how } = setup;
        if (told.has(member) || ofPatch.has(member)) continue;
        const user = newUsers(changes)
          .get(member)
          ?.find((body) => body !== setter && reliesOn(body, setter, member));
        if (!user || isSetUpBefore(textsNear(changes, [setter, user]), member, how)) continue;
        told.add(member);
        const at = firstUse(user, member);
        yield {
          at: placeOfCall(file, setup),
          symbol: member,
          message: `'${member}' is set up only by the new '${setter.name}', and the new '${user.name}' relies on it: objects that exist already lack it`,
          ...(at && {
            related: [{ at: placeOfCall(user.file, at), message: `'${user.name}' uses it here` }],
          }),
        };
      }
    }
  },
};

/** A member that a function begins to set up. */
interface Setup {
  readonly member: string;
  /** The call that sets it up, or `=`. */
  readonly how: string;
  readonly start: number;
  readonly end: number;
}

const INITIALISES =
  /^(?:INIT_(?:DELAYED_|DEFERRABLE_|RCU_)?WORK|INIT_H?LIST_HEAD|timer_setup|hrtimer_(?:init|setup)|(?:raw_)?spin_lock_init|rwlock_init|mutex_init|init_rwsem|sema_init|init_completion|init_waitqueue_head|init_swait_queue_head|seq(?:count|lock)_init|kref_init|refcount_set|atomic(?:64|_long)?_set|tasklet_(?:setup|init)|xa_init(?:_flags)?|idr_init|ida_init|skb_queue_head_init|kthread_init_(?:work|worker|delayed_work)|init_srcu_struct|ratelimit_state_init|init_irq_work|init_task_work)$/;

function setupsIn(body: ChangedBody): Setup[] {
  const { after } = body.change;
  const source = body.file.after;
  if (!after || !source || !body.change.before) return [];
  return setups(source, after);
}

function setups(source: SourceFile, item: FunctionItem): Setup[] {
  const { tokens, calls } = bodyOf(source, item);
  const found: Setup[] = calls
    .filter(({ name, arguments: [first = ""] }) => INITIALISES.test(name) && /->|\./.test(first))
    .map(({ name, arguments: [first = ""], start, end }) => ({
      member: lastName(first),
      how: name,
      start,
      end,
    }));
  for (const [at, { text, start }] of tokens.entries()) {
    const before = tokens[at - 1]?.text;
    // Through a pointer: a structure of the function's own is nobody else's.
    if (before !== "->" || tokens[at + 1]?.text !== "=") continue;
    found.push({ member: text, how: "=", start, end: start + text.length });
  }
  return found;
}

/** Whether old code sets the member up anywhere. */
function isSetUpBefore(texts: readonly string[], member: string, how: string): boolean {
  const pattern =
    how === "="
      ? new RegExp(
          `(?:->|\\.)\\s*${member}\\s*(?:[-+*/%&|^]|<<|>>)?=[^=]|(?:\\+\\+|--)[\\w>.\\-]*(?:->|\\.)${member}\\b|(?:->|\\.)${member}\\s*(?:\\+\\+|--)|&[\\w>.()\\-]*(?:->|\\.)${member}\\b`,
        )
      : new RegExp(`\\b\\w*(?:init|INIT|setup|set)\\w*\\s*\\([^;]*(?:->|\\.)${member}\\b`);
  return texts.some((text) => text.includes(member) && pattern.test(text));
}

/** Old texts of the patch's files that lie in the folders of these. */
function textsNear(changes: ChangeSet, bodies: readonly ChangedBody[]): string[] {
  const folders = new Set(bodies.map(({ file }) => dirname(file.path)));
  return changes.files.flatMap(({ path, before }) =>
    before && folders.has(dirname(path)) ? [before.text] : [],
  );
}

/** Functions whose new code names something that their old code does not name, by that name. */
const newUsers = oncePer((changes: ChangeSet): ReadonlyMap<string, readonly ChangedBody[]> => {
  const users = new Map<string, ChangedBody[]>();
  for (const body of changedBodies(changes)) {
    const { before, after } = body.change;
    if (!before || !after) continue;
    const old = namesIn(before.body);
    for (const name of namesIn(after.body))
      if (!old.has(name)) users.set(name, [...(users.get(name) ?? []), body]);
  }
  return users;
});

/** Whether a function reads the member, and not in the same call as it is set up. */
function reliesOn(user: ChangedBody, setter: ChangedBody, member: string): boolean {
  return (
    !callsAfter(user, setter.name) && !callsAfter(setter, user.name) && firstUse(user, member) !== undefined
  );
}

function firstUse(user: ChangedBody, member: string) {
  const { after } = user.change;
  const source = user.file.after;
  if (!after || !source) return undefined;
  const { tokens } = bodyOf(source, after);
  const at = tokens.findIndex(
    ({ text }, index) =>
      text === member && /^(?:->|\.)$/.test(tokens[index - 1]?.text ?? "") && tokens[index + 1]?.text !== "=",
  );
  const token = tokens[at];
  return token && { start: token.start, end: token.start + token.text.length };
}

/** Members that the patch adds: that the layout changes is another rule's matter, and says it all. */
const addedMembers = oncePer((changes: ChangeSet): ReadonlySet<string> => {
  const added = new Set<string>();
  for (const { before, after } of changes.changes) {
    if (after?.kind !== "type") continue;
    const old = new Set(before?.kind === "type" ? before.members.map(({ name }) => name) : []);
    for (const { name } of after.members) if (!old.has(name)) added.add(name);
  }
  return added;
});
