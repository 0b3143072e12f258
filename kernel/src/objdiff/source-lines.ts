import type { ObjectArchitecture } from "./architecture.js";
import { type Atom, isAtom, type Reference, usedBytesOf } from "./atoms.js";

/**
 * Where a source line (`__LINE__`) is part of code or data without meaning anything to it. Builds keep line numbers as
 * they were (see build/line-markers.ts); objects from elsewhere differ in them wherever a line was added above.
 */
export function sameButForLines(orig: Atom, patched: Atom, architecture: ObjectArchitecture): boolean {
  const [before, after] = [usedBytesOf(orig), usedBytesOf(patched)];
  if (before.length !== after.length) return false;
  if (Buffer.compare(before, after) === 0) return true;
  const ignored = patched.kind === "function" ? undefined : linesIn(patched);
  for (let offset = 0; offset < after.length; offset++) {
    if (before[offset] === after[offset]) continue;
    if (ignored === undefined) {
      const end = endOfLineArgument(orig, patched, offset, architecture);
      if (end === undefined) return false;
      offset = end - 1;
    } else {
      const mask = ignored.find((range) => range.start <= offset && offset < range.end)?.mask ?? 0;
      const differing = (before[offset] ?? 0) ^ (after[offset] ?? 0);
      if ((differing & ~mask) !== 0) return false;
    }
  }
  return true;
}

interface Lines {
  readonly start: number;
  readonly end: number;
  /** Bits that belong to the line. */
  readonly mask: number;
}

/** Lines that data has at known places, by the section's or the variable's name. */
const LINES: readonly { readonly of: RegExp; readonly lines: readonly Lines[] }[] = [
  // struct _ddebug (include/linux/dynamic_debug.h): four pointers, then 18 bits of line.
  {
    of: /^__dyndbg|^__verbose/,
    lines: [
      { start: 32, end: 34, mask: 0xff },
      { start: 34, end: 35, mask: 0x03 },
    ],
  },
  // struct source_location (lib/ubsan.h), with which all of its data begins: a pointer, line and column.
  { of: /\.Lubsan_data|\.L__unnamed_/, lines: [{ start: 8, end: 16, mask: 0xff }] },
];

function linesIn({ kind, section, line, references }: Atom): readonly Lines[] {
  if (kind === "entry") return line === undefined ? [] : [{ start: line, end: line + 2, mask: 0xff }];
  // Each begins with a pointer.
  if (references[0]?.offset !== 0) return [];
  return LINES.find(({ of }) => of.test(section.name))?.lines ?? [];
}

/**
 * Functions that are given a line, and as which parameter (from 0): include/linux/kernel.h, include/asm-generic/bug.h,
 * include/linux/lockdep.h, include/linux/jbd2.h, include/sound/core.h, fs/ext4/ext4.h, fs/xfs/xfs_message.h,
 * fs/btrfs/messages.h.
 */
const LINE_PARAMETER: Readonly<Record<string, number>> = {
  ___might_sleep: 1,
  __cant_migrate: 1,
  __cant_sleep: 1,
  __ext4_error: 2,
  __ext4_error_file: 2,
  __ext4_error_inode: 2,
  __ext4_std_error: 2,
  __ext4_warning: 2,
  __jbd2_debug: 3,
  __might_fault: 1,
  __might_resched: 1,
  __might_sleep: 1,
  __snd_printk: 2,
  assfail: 3,
  asswarn: 3,
  btrfs_assertfail: 2,
  lockdep_rcu_suspicious: 1,
  warn_slowpath_fmt: 1,
};

/** ASSERT_RTNL and its like: the line is an argument of the message (include/linux/rtnetlink.h). */
const WARNING = {
  name: "__warn_printk",
  text: /assertion failed at %s \(%d\)\n?\0?$/,
  parameter: 2,
} as const;

/** @returns where the argument ends, if the byte at `offset` is in both a line that is passed to one of these functions */
function endOfLineArgument(
  orig: Atom,
  patched: Atom,
  offset: number,
  { argumentAt }: ObjectArchitecture,
): number | undefined {
  const before = argumentAt?.(usedBytesOf(orig), offset);
  const after = argumentAt?.(usedBytesOf(patched), offset);
  if (before === undefined || after === undefined) return undefined;
  if (before.start !== after.start || before.parameter !== after.parameter) return undefined;
  const index = patched.references.findIndex(
    (reference) => reference.offset >= after.end && isCall(reference),
  );
  const call = patched.references[index];
  if (call === undefined) return undefined;
  const { target } = call;
  const name = target.name;
  if (LINE_PARAMETER[name] === after.parameter) return after.end;
  if (name !== WARNING.name || after.parameter !== WARNING.parameter) return undefined;
  for (const { target: argument, address } of patched.references.slice(0, index).reverse()) {
    if (!address) break;
    if (isAtom(argument) && WARNING.text.test(Buffer.from(usedBytesOf(argument)).toString("latin1")))
      return after.end;
  }
  return undefined;
}

function isCall({ address, target }: Reference): boolean {
  return !address && (!isAtom(target) || target.kind === "function");
}
