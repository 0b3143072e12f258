import { type Call, callsIn } from "../../change/calls.js";
import type { SyntaxNode } from "../../syntax/tree.js";

/** Whether a function's syntax is worth a look: none of the calls that count is missed. @param body in normal form */
export function maySleepUnbounded(body: string): boolean {
  return CALLS_SLEEPER.test(body);
}

/** Calls of a function's own that sleep until something happens, however long that takes; in the order of the text. */
export function unboundedSleeps(definition: SyntaxNode): Call[] {
  const calls = callsIn(definition);
  const prepares = calls.some(({ name }) => PREPARES.test(name));
  return calls.filter((call) => {
    const { name, node, arguments: given } = call;
    if (name.includes("timeout"))
      return name.startsWith("schedule_timeout") && given[0]?.text === "MAX_SCHEDULE_TIMEOUT";
    if (WAITS.test(name)) return true;
    return YIELDS.test(name) && given.length === 0 && (prepares || loopAround(node) !== undefined);
  });
}

/** Whether a function goes on for as long as its kernel thread is wanted, or for ever. */
export function loopsAsThread(definition: SyntaxNode): boolean {
  return callsIn(definition).some(({ name, node }) => {
    const loop = loopAround(node);
    if (!loop) return false;
    return ASKS_TO_GO_ON.test(name) || (RESTS.test(name) && isEndless(loop));
  });
}

/** Whether the thread is still wanted (include/linux/kthread.h). */
const ASKS_TO_GO_ON = /^kthread_(?:freezable_)?should_(?:stop|park)/;
/** What a loop does that is not only a search or another try. */
const RESTS = /schedule|sleep|wait/;

/** Sleep without bound (include/linux/wait.h, swait.h, wait_bit.h, completion.h, semaphore.h, rcuwait.h, include/net/sock.h). */
const WAITING = `_*(?:${[
  "s?wait_event(?:_\\w+)?",
  "rcuwait_wait_event",
  "wait_var_event(?:_\\w+)?",
  "wait_for_completion(?:_(?:interruptible|killable|io|state))?",
  "wait_on_bit(?:_lock|_action|_lock_action)?",
  "wait_woken",
  "sk_wait_(?:data|event)",
  "sk_stream_wait_(?:memory|connect)",
  "skb_wait_for_more_packets",
  "pipe_wait_(?:readable|writable)",
  "down(?:_interruptible|_killable)?",
].join("|")})`;
/** Give the processor away until woken, when the task said before what it waits for (include/linux/sched.h). */
const YIELDING = "(?:schedule|io_schedule|freezable_schedule|schedule_preempt_disabled)";
const WAITS = new RegExp(`^${WAITING}$`);
const YIELDS = new RegExp(`^${YIELDING}$`);
const CALLS_SLEEPER = new RegExp(`\\b(?:${WAITING}|${YIELDING}|schedule_timeout\\w*) \\(`);
const PREPARES = /^(?:__)?(?:set_current_state|set_special_state|prepare_to_wait\w*|prepare_to_swait\w*)$/;

const LOOPS = new Set(["for_statement", "while_statement", "do_statement"]);

function loopAround(node: SyntaxNode): SyntaxNode | undefined {
  let at = node.parent;
  while (at && !LOOPS.has(at.type)) at = at.parent;
  return at ?? undefined;
}

function isEndless(loop: SyntaxNode): boolean {
  const condition = loop.childForFieldName("condition");
  if (loop.type === "for_statement") return condition === null;
  return /^\(\s*(?:1|true)\s*\)$/.test(condition?.text ?? "");
}
