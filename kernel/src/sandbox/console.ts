import type { Observation } from "../observation.js";

/** What the kernel complained of once, on its console. */
export interface Complaint {
  /** Such as `warning` or `oops`. */
  readonly kind: ComplaintKind;
  /** The line that says what it is, without its time stamp; a warning's own text where it has one. */
  readonly title: string;
  /** Where the processor was, or where the task waits. */
  readonly symbol?: string;
  /** `+0x12/0x40`: offset into the function and its size. */
  readonly offset?: string;
  /** Named in square brackets behind the function. */
  readonly module?: string;
  /** Of the kernel's source, where the line has it. */
  readonly file?: string;
  readonly line?: number;
  /** The complaint's lines, without their time stamps. */
  readonly excerpt: string;
  /** The name in the last `hotpatch: begin NAME` before it; empty when there is none. */
  readonly step: string;
}

export type ComplaintKind =
  | "panic"
  | "oops"
  | "kasan"
  | "lockdep"
  | "soft lockup"
  | "RCU stall"
  | "hung task"
  | "warning"
  | "bug";

interface Complainant {
  readonly kind: ComplaintKind;
  readonly pattern: RegExp;
}

/** First lines of the kernel's complaints, the first that fits; from the sources named. */
const COMPLAINANTS: readonly Complainant[] = [
  { kind: "panic", pattern: /^Kernel panic - not syncing/ }, // kernel/panic.c
  { kind: "kasan", pattern: /^BUG: (KASAN|KFENCE|KCSAN|KMSAN): |^UBSAN: / }, // mm/kasan, mm/kfence, lib/ubsan.c
  { kind: "soft lockup", pattern: /BUG: (soft|workqueue) lockup|Watchdog detected hard LOCKUP/ }, // kernel/watchdog*.c
  { kind: "RCU stall", pattern: /^rcu.*(detected.*stall|detected expedited stalls)|rcu_tasks.*stall/ }, // kernel/rcu
  { kind: "hung task", pattern: /^INFO: task .* blocked for more than \d+ seconds/ }, // kernel/hung_task.c
  {
    kind: "lockdep", // kernel/locking/lockdep.c
    pattern:
      /^WARNING: (possible (circular locking|recursive locking|irq lock inversion)|inconsistent lock state|suspicious RCU usage|bad unlock balance|held lock freed|lock held when returning|.*-safe -> .*-unsafe lock order)|^BUG: .* still has locks held/,
  },
  {
    kind: "oops", // arch/x86/mm/fault.c, arch/x86/kernel/traps.c, arch/arm64/mm/fault.c, lib/bug.c
    pattern:
      /^BUG: (unable to handle|kernel NULL pointer|stack guard page)|^Unable to handle kernel|^(general protection fault|divide error|invalid opcode|int3|stack segment|double fault|control protection|page fault|traps: PANIC|Internal error: |Oops: |Oops - )|^kernel BUG at |^Missing ENDBR/,
  },
  { kind: "warning", pattern: /^WARNING: / }, // kernel/panic.c, __warn()
  { kind: "bug", pattern: /^BUG: / },
];

/** Kinds after which a task, at least, is dead, and locks it held may never be freed. */
export const DEADLY: ReadonlySet<ComplaintKind> = new Set(["panic", "oops", "soft lockup"]);

/** What may stand before a complaint's first line and belongs to it; lib/list_debug.c speaks before it cuts. */
const INTRODUCTION = /^-+\[ cut here \]-+$|^list_(add|del).* corruption/;
const CUT_HERE = /^-+\[ cut here/;
const END_TRACE = /^---\[ end (trace|Kernel panic)/;
const MARKER = /^hotpatch: (begin (.*)|end)$/;
const TIME_STAMP = /^(?:<\d+>)?\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? ?/;
/** Lines of a complaint without an end mark; enough for registers and a stack. */
const LONGEST = 80;

/**
 * Finds what the kernel complained of. A complaint is one however many lines it takes, such as the `BUG:`, `Oops:` and
 * `---[ end trace` of one fault; module taints are none.
 * @param console text of the kernel's console, with or without time stamps, with the markers of the guest's script
 * @returns in the order printed
 */
export function complaints(console: string): Complaint[] {
  const found: Complaint[] = [];
  let step = "";
  let open: Opened | undefined;
  let introduction: string[] = [];
  const close = () => {
    if (open) found.push(described(open, step));
    open = undefined;
  };
  for (const printed of console.split("\n")) {
    const line = printed.replace(TIME_STAMP, "").trimEnd();
    const marker = MARKER.exec(line);
    if (marker) {
      close();
      introduction = [];
      step = marker[2] ?? "";
      continue;
    }
    if (INTRODUCTION.test(line)) {
      close();
      introduction.push(line);
      continue;
    }
    const begun = COMPLAINANTS.find(({ pattern }) => pattern.test(line));
    if (begun && (open === undefined || !continues(open.kind, begun.kind, open.lines.length))) {
      close();
      const title = introduction.findLast((before) => !CUT_HERE.test(before)) ?? line;
      open = { kind: begun.kind, title, first: line, lines: [...introduction, line] };
      introduction = [];
    } else if (open) open.lines.push(line);
    else if (introduction.length > 0) introduction.push(line);

    if (open && (END_TRACE.test(line) || open.lines.length >= LONGEST)) close();
    if (introduction.length > 4) introduction = [];
  }
  close();
  return found;
}

/** A complaint whose end has not come yet. */
interface Opened {
  readonly kind: ComplaintKind;
  readonly title: string;
  /** The line by which it was known. */
  readonly first: string;
  readonly lines: string[];
}

/** Whether a complaint's first line belongs to the one that is open: a fault prints several of them. */
function continues(open: ComplaintKind, next: ComplaintKind, lines: number): boolean {
  if (next === "panic") return open === "panic";
  if (open === "kasan" || open === "lockdep") return next === "bug" || (next === open && lines > 1);
  if (open === "bug") return next === "oops" || next === "warning";
  return open === "oops" && next === "oops";
}

/** Lines that name a place in the source (kernel/panic.c, lib/bug.c). */
const SOURCE_LINE = /^WARNING: CPU|^kernel BUG at /;
/** `function+0x12/0x40 [module]` */
const PLACE = /([\w.]+)(\+0x[0-9a-f]+\/0x[0-9a-f]+)(?: \[([\w-]+)[^\]]*\])?/;
/** Frames that report or wait rather than do the wrong thing. */
const REPORTING =
  /^(dump_stack|show_stack|__?warn|report_bug|handle_bug|exc_|asm_|die|oops|panic|print_|kasan_|__might_|schedule|__schedule|io_schedule|rcu_|watchdog|dump_backtrace|__switch_to|sched_show_task|refcount_warn_|__list_(add|del))/;

function described({ kind, title, first, lines }: Opened, step: string): Complaint {
  const place = placeOf(first, lines);
  const source = /\bat ((?!\/)[\w./-]+):(\d+)/.exec(lines.find((line) => SOURCE_LINE.test(line)) ?? "");
  return {
    kind,
    title,
    ...(place?.[1] === undefined ? {} : { symbol: place[1] }),
    ...(place?.[2] === undefined ? {} : { offset: place[2] }),
    ...(place?.[3] === undefined ? {} : { module: place[3] }),
    ...(source?.[1] === undefined || source[1].includes("..")
      ? {}
      : { file: source[1], line: Number(source[2]) }),
    excerpt: lines.join("\n").trimEnd(),
    step,
  };
}

function placeOf(first: string, lines: readonly string[]): RegExpExecArray | undefined {
  const trace = lines.findIndex((line) => /^Call [Tt]race:/.test(line)) + 1;
  const candidates = [
    first,
    ...lines.filter((line) => /^RIP: 0010:|^pc : /.test(line)),
    // Not those with a question mark: they are remains of earlier calls.
    ...lines.slice(trace).filter((line) => /^ *[\w.]+\+0x/.test(line)),
  ];
  const places = candidates.map((line) => PLACE.exec(line)).filter((place) => place !== null);
  return places.find(([place]) => !REPORTING.test(place)) ?? places[0];
}

const WHAT: Readonly<Record<ComplaintKind, string>> = {
  panic: "the kernel panicked",
  oops: "the kernel oopsed",
  kasan: "the kernel found memory misused",
  lockdep: "the kernel found locks misused",
  "soft lockup": "a processor was stuck in the kernel",
  "RCU stall": "RCU stalled",
  "hung task": "a task hung",
  warning: "the kernel warned",
  bug: "the kernel found a bug",
};

/** What a person is told of a complaint; the evidence is its `detail`. */
export function complaintObservation(complaint: Complaint): Observation {
  const { symbol, offset = "", module, file, line, step } = complaint;
  const place = symbol === undefined ? "" : ` in ${symbol}${offset}${module ? ` [${module}]` : ""}`;
  return {
    rule: "kernel-complained",
    message: `${WHAT[complaint.kind]}${place}${step ? ` during '${step}'` : ""}: ${complaint.title}`,
    ...(symbol === undefined ? {} : { symbol }),
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    detail: complaint.excerpt,
  };
}

/** Equal for complaints of the same thing at the same place. */
export function complaintKey(complaint: Complaint): string {
  const { kind, symbol, offset, file, line } = complaint;
  return symbol === undefined && file === undefined
    ? `${kind} ${complaint.title.replace(/\b(0x)?[0-9a-f]{2,}\b/g, "")}`
    : [kind, symbol, offset, file, line].join(" ");
}

/** The lines that a step left on the console, without time stamps. */
export function consoleDuring(console: string, step: string): string[] {
  const lines = console.split("\n").map((line) => line.replace(TIME_STAMP, "").trimEnd());
  const start = lines.indexOf(`hotpatch: begin ${step}`);
  if (start === -1) return [];
  const length = lines.slice(start + 1).findIndex((line) => MARKER.test(line));
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).filter((line) => line !== "");
}
