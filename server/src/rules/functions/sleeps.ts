import { type Call, callsIn } from "../../change/calls.js";
import type { SyntaxNode } from "../../syntax/tree.js";

/** Whether a look at a function's syntax can be worth it. @param body in normal form */
export function maySleepUnbounded(body: string): boolean {
  return /wait_|schedule|\bdown/.test(body);
}

/** Calls of a function's own that sleep until something happens, however long that takes; in the order of the text. */
export function unboundedSleeps(definition: SyntaxNode): Call[] {
  const calls = callsIn(definition);
  const prepares = calls.some(({ name }) => PREPARES.test(name));
  return calls.filter((call) => {
    const { name, node, arguments: given } = call;
    if (/timeout/.test(name))
      return /^schedule_timeout/.test(name) && /MAX_SCHEDULE_TIMEOUT/.test(given[0]?.text ?? "");
    if (WAITS.test(name)) return true;
    return YIELDS.test(name) && given.length === 0 && (prepares || loopAround(node) !== undefined);
  });
}

/** The loops of a function that go on for as long as its kernel thread is wanted, or for ever. */
export function threadLoops(definition: SyntaxNode): SyntaxNode[] {
  const asked = callsIn(definition).filter(({ name }) =>
    /^kthread_(?:freezable_)?should_(?:stop|park)/.test(name),
  );
  const loops = asked.map(({ node }) => loopAround(node)).filter((loop) => loop !== undefined);
  const endless = callsIn(definition)
    .map(({ node }) => loopAround(node))
    .filter((loop) => loop !== undefined && isEndless(loop));
  const found = [...loops, ...endless].filter((loop) => loop !== undefined);
  return found.filter((loop, at) => found.findIndex(({ id }) => id === loop.id) === at);
}

/** Sleep without bound (include/linux/wait.h, swait.h, wait_bit.h, completion.h, semaphore.h, rcuwait.h, include/net/sock.h). */
const WAITS = new RegExp(
  `^(?:_*(?:${[
    "s?wait_event(?:_(?!.*timeout)\\w+)?",
    "rcuwait_wait_event",
    "wait_var_event(?:_(?!.*timeout)\\w+)?",
    "wait_for_completion(?:_(?:interruptible|killable|io|state))?",
    "wait_on_bit(?:_lock|_action|_lock_action)?",
    "wait_woken",
    "sk_wait_(?:data|event)",
    "sk_stream_wait_(?:memory|connect)",
    "skb_wait_for_more_packets",
    "pipe_wait_(?:readable|writable)",
  ].join("|")})|down(?:_interruptible|_killable)?)$`,
);

/** Give the processor away until woken, when the task said before what it waits for (include/linux/sched.h). */
const YIELDS = /^(?:schedule|io_schedule|freezable_schedule|schedule_preempt_disabled)$/;
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
