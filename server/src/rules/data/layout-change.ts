import type { ItemChange } from "../../change/change-set.js";
import { changedConstants, itemsMadeOf } from "../../change/changed-constants.js";
import type { TypeItem } from "../../change/item.js";
import { isSameType, type LaidOut, type Layout, layoutOf, sizeOfType } from "../../change/layout.js";
import { placeOfLine } from "../../change/line-index.js";
import type { Place } from "../../change/place.js";
import { changesOf } from "../../change/sides.js";
import { normalForm } from "../../change/tokens.js";
import type { Inspection } from "../inspection.js";
import { codeText } from "./code-text.js";
import { livesOnPatchedStacks } from "./type-locality.js";

/** What a patch does to the layout of one type. */
export interface LayoutChange {
  readonly name: string;
  readonly at: Place;
  readonly item: TypeItem;
  /** moved: size or offsets differ, or are not known; meaning: all stays in its place, but is something else. */
  readonly kind: "moved" | "meaning";
  /** What happens, behind the type's name: `gains 'count'`. */
  readonly what: string;
  /** The members that are new, when that is all that differs. */
  readonly added: readonly string[];
  /** Of the changed constant or typedef, where the type itself is written as before. */
  readonly cause?: { readonly at: Place; readonly message: string };
}

/** Structs, unions and typedefs of a file whose existing layout or meaning changes; new types are none. */
export function* layoutChanges({ file, changes }: Inspection): Generator<LayoutChange> {
  for (const change of typeChanges({ file, changes })) {
    const found = compare(change, file.after?.lines);
    if (found) yield found;
  }
  const constants = changedConstants(changes, file);
  for (const { item, constant } of itemsMadeOf(file, "type", constants, sizesIn)) {
    if (item.keyword === "enum" || !file.after) continue;
    yield {
      name: item.name,
      at: file.after.lines.place(file.path, item.nameStart, item.nameEnd),
      item,
      kind: "moved",
      what: `changes its size with '${constant.name}'`,
      added: [],
      cause: {
        at: constant.place,
        message: `'${constant.name}' is ${constant.after} instead of ${constant.before}`,
      },
    };
  }
}

/** Whether no code but the patch's own ever sees an object of the type: nobody has looked for the users of unchanged ones. */
export function isLocal({ item, cause }: LayoutChange, inspection: Inspection): boolean {
  return !cause && livesOnPatchedStacks(item, inspection);
}

/**
 * Types that the patch changes in this file. A definition that moves here from another file of the patch is compared with
 * what it was there.
 */
export function typeChanges({ file, changes }: Pick<Inspection, "file" | "changes">): ItemChange<TypeItem>[] {
  return changesOf(file, "type").flatMap((change): ItemChange<TypeItem>[] => {
    const { before, after, name, place } = change;
    const isKept = (item: TypeItem | undefined) => item !== undefined && item.kept !== "no";
    if (!after || !isKept(after)) return [];
    if (before && isKept(before)) return [{ file: file.path, name, place, before, after }];
    const elsewhere = changes.changes.find(
      (other) => other.name === name && other.before?.kind === "type" && !other.after && isKept(other.before),
    );
    return elsewhere?.before?.kind === "type"
      ? [{ file: file.path, name, place, before: elsewhere.before, after }]
      : [{ file: file.path, name, place, after }];
  });
}

/** Sizes of arrays and widths of bit-fields. */
function sizesIn({ members }: TypeItem): string {
  return members
    .flatMap(({ tokens }) => [...tokens.matchAll(/\[ ([^\]]*) \]| : (.*)$/g)])
    .map(([, count, width]) => count ?? width)
    .join(" ");
}

type Lines = Parameters<typeof placeOfLine>[0] | undefined;

function compare(
  { name, place, before, after }: ItemChange<TypeItem>,
  lines: Lines,
): LayoutChange | undefined {
  if (!before || !after || before.keyword === "enum" || after.keyword === "enum") return undefined;
  const [old, now] = [layoutOf(before), layoutOf(after)];
  const { added, removed, renamed } = namesOf(old, now);
  const pairs = [...now.members].flatMap(([path, is]): [string, LaidOut, LaidOut][] => {
    const was = old.members.get(renamed.find(([, to]) => to === path)?.[0] ?? path);
    return was ? [[path, was, is]] : [];
  });
  const moved = pairs
    .filter(([path, was, is]) => was.position !== is.position && !RESERVED.test(path))
    .map(([path]) => path);
  const retyped = pairs.filter(([path, was, is]) => !isSameType(was.type, is.type) && !RESERVED.test(path));
  const attributes = before.annotations.join(" ") !== after.annotations.join(" ");
  const found = {
    name,
    item: after,
    added: retyped.length + removed.length === 0 && !attributes ? added : [],
  };
  const reserved = renamed.filter(([from]) => RESERVED.test(from));
  const marked = [...added, ...retyped.map(([path]) => path), ...reserved.map(([, to]) => to)];
  const at = placeOf(attributes ? added : [...marked, ...moved], after, lines) ?? place;
  const said = [
    ...(added.length > 0 ? [`gains ${listed(added)}`] : []),
    ...(removed.length > 0 ? [`loses ${listed(removed)}`] : []),
    ...(attributes ? ["changes its attributes"] : []),
  ];
  // Where a branch may or may not be there, a hole may or may not be.
  const isUncertain =
    added.length + removed.length > 0 &&
    [...before.members, ...after.members].some(({ kept }) => kept === "unknown");
  if (old.size !== now.size || moved.length > 0 || isUncertain) {
    const resized = retyped.filter(([, was, is]) => sizeOf(was) !== sizeOf(is) || sizeOf(is) === undefined);
    for (const [path, was, is] of resized.slice(0, 3)) said.push(retypes(path, was, is));
    const size =
      old.bytes !== undefined && now.bytes !== undefined && old.bytes !== now.bytes
        ? [
            `grows from ${old.bytes} to ${now.bytes} bytes`.replace(
              "grows",
              now.bytes < old.bytes ? "shrinks" : "grows",
            ),
          ]
        : [];
    const others = moved.filter((path) => !resized.some(([one]) => one === path));
    if (others.length > 0) said.push(`moves ${listed(others)}`);
    return { ...found, at, kind: "moved", what: joined([...said, ...size]) };
  }
  for (const [path, was, is] of retyped.slice(0, 3)) {
    if (was.type.includes("( *") && is.type.includes("( *"))
      said.push(`calls what '${path}' points to as ${shownType(is)} instead of ${shownType(was)}`);
    else said.push(retypes(path, was, is));
  }
  for (const [from, to] of reserved) said.push(`puts '${from}' to use as '${to}'`);
  if (said.length === 0) return undefined;
  const fills = added.length > 0 && removed.length === 0 ? " without moving anything" : "";
  return { ...found, at, kind: "meaning", what: joined(said) + fills };
}

/** Members that nothing was kept in, so far. */
const RESERVED = /^_*(?:pad|padding|reserved|resv|rsvd|unused|hole|spare)(?:_?\w*)$/i;

/** What came, what went, and what only has another name: the same type in the same place. */
function namesOf(old: Layout, now: Layout) {
  const come = [...now.members].filter(([path]) => !old.members.has(path));
  const renamed: [string, string][] = [];
  const removed: string[] = [];
  for (const [path, was] of old.members) {
    if (now.members.has(path)) continue;
    const at = come.findIndex(([, is]) => is.position === was.position && is.type === was.type);
    const [taken] = at === -1 ? [] : come.splice(at, 1);
    if (taken) renamed.push([path, taken[0]]);
    else removed.push(path);
  }
  return { added: come.map(([path]) => path), removed, renamed };
}

function sizeOf({ type, bytes }: LaidOut): number | undefined {
  return bytes ?? sizeOfType(type);
}

function retypes(path: string, was: LaidOut, is: LaidOut): string {
  return /\{/.test(was.type + is.type)
    ? `declares '${path}' differently`
    : `makes '${path}' ${shownType(is)} instead of ${shownType(was)}`;
}

function shownType({ type }: LaidOut): string {
  return codeText(type, 90);
}

function listed(names: readonly string[]): string {
  const shown = names
    .slice(0, 3)
    .map((name) => (name.startsWith("unnamed ") ? "an unnamed member" : `'${name}'`));
  const more = names.length - shown.length;
  if (more > 0) return `${shown.join(", ")} and ${more} more`;
  return shown.join(" and ");
}

function joined(parts: readonly string[]): string {
  return parts.length < 3 ? parts.join(" and ") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** The line of the first of these members that stands in a line of its own. */
function placeOf(paths: readonly string[], item: TypeItem, lines: Lines): Place | undefined {
  const [first] = paths;
  if (first === undefined || !lines) return undefined;
  const parts = first.split(".");
  const member = item.members.find(({ name }) => name !== "" && parts.includes(name));
  if (member) return placeOfLine(lines, item.file, member.line);
  for (let line = item.line; line <= item.endLine; line++) {
    const words = normalForm(lines.line(line)).split(" ");
    if (words.includes(parts.at(-1) ?? "")) return placeOfLine(lines, item.file, line);
  }
  return undefined;
}
