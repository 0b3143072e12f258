import type { ItemChange } from "../../change/change-set.js";
import { constantValue } from "../../change/constant.js";
import type { DataItem, SourceFile } from "../../change/item.js";
import { changesOf } from "../../change/sides.js";
import { namesIn } from "../../change/tokens.js";
import type { Inspection } from "../inspection.js";

/**
 * Changes of variables that rules of data judge: those that the configuration keeps and that are no mere declaration. Left to
 * others: per-CPU variables (percpu-changed), what is discarded after boot (init-code), and device tables (module-interface).
 */
export function dataChanges({ file }: Pick<Inspection, "file">): ItemChange<DataItem>[] {
  const tables = new Set([...deviceTables(file.before), ...deviceTables(file.after)]);
  return changesOf(file, "data").flatMap((change): ItemChange<DataItem>[] => {
    const before = live(change.before);
    const after = live(change.after);
    if (tables.has(change.name)) return [];
    const { name, place } = change;
    const common = { file: file.path, name, place };
    if (before && after) return [{ ...common, before, after }];
    if (after) return [{ ...common, after }];
    return before ? [{ ...common, before }] : [];
  });
}

function live(item: DataItem | undefined): DataItem | undefined {
  return item && isLive(item) ? item : undefined;
}

/** Whether a variable is there in the running kernel and is for the rules of data. */
export function isLive({ kept, isExtern, isPerCpu, annotations, macro }: DataItem): boolean {
  if (kept === "no" || isExtern || isPerCpu || macro?.startsWith("DECLARE_")) return false;
  return !annotations.some((word) => /^__(?:init|exit|meminit|cpuinit|devinit|net_init)/.test(word));
}

/** Variables that `MODULE_DEVICE_TABLE(type, name)` turns into aliases of the module (include/linux/module.h). */
function deviceTables(file: SourceFile | undefined): string[] {
  return [...(file?.text ?? "").matchAll(/\bMODULE_DEVICE_TABLE\s*\(\s*\w+\s*,\s*(\w+)/g)].flatMap(
    ([, name]) => name ?? [],
  );
}

/** Whether two definitions set a variable up alike; what the configuration removes of a list does not count. */
export function sameValue(before: DataItem, after: DataItem): boolean {
  if (sameInitial(before.initial, after.initial)) return true;
  const kept = ({ elements }: DataItem) =>
    elements
      .filter((element) => element.kept !== "no")
      .map(({ designator, value }) => `${designator} ${value}`);
  const [old, now] = [kept(before), kept(after)];
  return old.length > 0 && old.length === now.length && old.every((element, at) => element === now[at]);
}

/** What is not initialised is zero (C11 6.7.9). */
export function sameInitial(before: string | undefined, after: string | undefined): boolean {
  const value = (initial: string | undefined) => {
    if (initial === undefined || /^(?:NULL|false|\{ (?:0 ,? ?)?\})$/.test(initial)) return "0";
    return String(constantValue(initial) ?? initial);
  };
  return value(before) === value(after);
}

/** Whether a variable is a table that the kernel calls functions through, as far as its file tells. */
export function holdsFunctions(
  { struct, elements, initial }: DataItem,
  file: SourceFile | undefined,
): boolean {
  if (initial === undefined || elements.length === 0) return false;
  const isTable = struct !== undefined && TABLE.test(struct);
  const words = [...namesIn(initial)];
  if (isTable && elements.some(({ value }) => /^&? ?[a-z_]\w*$/.test(value) && !CONSTANT.test(value)))
    return true;
  const functions = functionNames(file?.text ?? "");
  return words.some((word) => functions.has(word));
}

const TABLE =
  /(?:^|_)(?:ops|operations|fops|driver|class|proto|protocol|template|handler|notifier_block|shrinker)$/;
const CONSTANT = /^(?:true|false|NULL|THIS_MODULE)$/;

/** What stands in front of a parenthesis in a line that begins at the margin: cheaper than to read all items of a large file. */
function functionNames(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^[A-Za-z_][\w \t*]*?(\w+)[ \t]*\(|^(\w+)\(/gm)].flatMap(
      ([, behind, alone]) => behind ?? alone ?? [],
    ),
  );
}
