import type { ItemChange } from "../../change/change-set.js";
import { constantValue } from "../../change/constant.js";
import { enumeratorValues } from "../../change/enumerators.js";
import type { MacroItem, TypeItem } from "../../change/item.js";
import { placeOfLine } from "../../change/line-index.js";
import type { Place } from "../../change/place.js";
import { changesOf } from "../../change/sides.js";
import { mentions, namesIn } from "../../change/tokens.js";
import type { Use } from "../../tree/tree-facts.js";
import type { Fix, Inspection, SourceFinding, SourceRule } from "../inspection.js";
import { codeText } from "./code-text.js";
import { behindIncludes } from "./include-edit.js";

/** @see docs/rules/constant-meaning.md */
export const constantMeaning: SourceRule = {
  id: "constant-meaning",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "an enum value or another constant that live objects or unpatched code know changed",
  why: "Live objects hold the old value, and code outside the patch was compiled with it.",
  remedy: "Keep the old value valid, and give a new meaning a new value.",
  sources: ["Documentation/livepatch/livepatch.rst, section 3"],
  *check(inspection) {
    for (const change of changesOf(inspection.file, "type")) {
      const found = enumFinding(change, inspection);
      if (found) yield found;
    }
    for (const change of changesOf(inspection.file, "macro")) {
      const found = macroFinding(change, inspection);
      if (found) yield found;
    }
  },
};

/** All enumerators that move are one finding, where the first of them stands. */
function enumFinding(
  { before, after, place, name }: ItemChange<TypeItem>,
  inspection: Inspection,
): SourceFinding | undefined {
  if (before?.keyword !== "enum" || after?.keyword !== "enum") return undefined;
  if (before.kept === "no" || after.kept === "no") return undefined;
  const [old, now] = [enumeratorValues(before), enumeratorValues(after)];
  const moved = [...now].filter(([one, value]) => old.has(one) && old.get(one) !== value);
  const known = moved.filter(([one]) => knownOutside(one, inspection).length > 0);
  const [first] = known;
  if (!first) return undefined;
  const [enumerator, value] = first;
  const line = after.members.find((member) => member.name === enumerator)?.line;
  const lines = inspection.file.after?.lines;
  const others =
    moved.length > 1
      ? `, and ${moved.length - 1} more of ${name.includes("{") ? "its enum" : `'${name}'`} with it`
      : "";
  const isCount = moved.every(([one]) => COUNT.test(one)) && moved.length === 1;
  return {
    at: line !== undefined && lines ? placeOfLine(lines, inspection.file.path, line) : place,
    symbol: name,
    message: isCount
      ? `'${enumerator}' counts ${value} instead of ${old.get(enumerator)}: whatever is as big as it says has the old size`
      : `'${enumerator}' is ${value} instead of ${old.get(enumerator)}${others}`,
    remedy: "Put new enumerators behind the old ones, and leave a gap where one is taken out.",
    related: knownOutside(enumerator, inspection).slice(0, 4),
  };
}

/** The last enumerator, which tells how many there are. */
const COUNT = /^_*(?:NR|NUM|MAX|N|LAST)_|_(?:MAX|NUM|NR|COUNT|CNT|LAST|END|SIZE|NUMBER|__MAX)_*$|^NR\w*$/;

function macroFinding(
  { before, after, name, place }: ItemChange<MacroItem>,
  inspection: Inspection,
): SourceFinding | undefined {
  if (
    !before ||
    !after ||
    before.kept === "no" ||
    after.kept === "no" ||
    after.parameters ||
    before.parameters
  )
    return undefined;
  if (!isConstant(before.body) || !isConstant(after.body)) return undefined;
  const value = constantValue(after.body);
  if (value !== undefined && value === constantValue(before.body)) return undefined;
  const known = knownOutside(name, inspection);
  if (known.length === 0) return undefined;
  const [old, now] = [codeText(before.body), codeText(after.body)];
  const fix = moveIntoUnit(before, after, inspection);
  return {
    at: place,
    symbol: name,
    message: now === old ? `'${name}' stands for something else` : `'${name}' is ${now} instead of ${old}`,
    related: known.slice(0, 4),
    ...(fix && { fixes: [fix] }),
  };
}

/** Numbers, their operators and other constants; no call, no statement, no name in lower case. */
function isConstant(body: string): boolean {
  if (body === "" || /[{};"]/.test(body)) return false;
  return [...namesIn(body)].every((word) =>
    /^[A-Z_][A-Z0-9_]*$|^(?:u|s)(?:8|16|32|64)$|^(?:unsigned|int|long)$/.test(word),
  );
}

/** Who goes by the old value: code outside the patch, and members of objects that the patch's own code keeps it in. */
function knownOutside(name: string, inspection: Inspection): { at: Place; message: string }[] {
  return [...usedOutside(name, inspection), ...storedIn(name, inspection)];
}

function usedOutside(name: string, { facts }: Inspection): { at: Place; message: string }[] {
  const outside = facts.uses(name).places.filter(({ inPatch, kind }) => !inPatch && kind !== "definition");
  const seen = new Set<string>();
  return outside.flatMap((use: Use) => {
    const key = `${use.file} ${use.within}`;
    if (seen.has(key)) return [];
    seen.add(key);
    const { file, line, column, within } = use;
    return [
      {
        at: { file, line, column, endLine: line, endColumn: column + name.length },
        message: within ? `'${within}' was compiled with the old value` : "compiled with the old value",
      },
    ];
  });
}

/** Functions of the patch's files that put it into a member, or look for it there. */
function storedIn(name: string, { file, changes }: Inspection): { at: Place; message: string }[] {
  const users = file.path.endsWith(".h") ? changes.files : [file];
  const stored = new RegExp(
    `(?:->|\\.) (\\w+) (?:\\[ [^\\]]* \\] )?(?:=|\\|=) (?:[^;=]*[ (~|])?${name}(?: |$)`,
  );
  return users.flatMap(({ path, after }) => {
    if (!after?.text.includes(name)) return [];
    return after.items.flatMap((item) => {
      if (item.kind !== "function" || item.kept === "no" || !mentions(item.body, name)) return [];
      const member = stored.exec(item.body)?.[1];
      return member === undefined
        ? []
        : [
            {
              at: after.lines.place(path, item.nameStart, item.nameEnd),
              message: `'${item.name}' keeps it in '${member}', where live objects have the old value`,
            },
          ];
    });
  });
}

/** Leaves the header as it was and defines the macro anew in the one `.c` file of the patch that uses it. */
function moveIntoUnit(before: MacroItem, after: MacroItem, { file, changes }: Inspection): Fix | undefined {
  if (!file.path.endsWith(".h") || !file.after || !file.before) return undefined;
  const word = new RegExp(`\\b${after.name}\\b`);
  const users = changes.files.filter((other) => other !== file && other.after && word.test(other.after.text));
  const [user] = users;
  if (users.length !== 1 || !user?.after || !user.path.endsWith(".c")) return undefined;
  const text = file.after.text.slice(after.start, after.end).trimEnd();
  const old = file.before.text.slice(before.start, before.end);
  return {
    title: `Leave the header alone and change '${after.name}' in ${user.path}`,
    edits: [
      { ...file.after.lines.place(file.path, after.start, after.end), text: old },
      behindIncludes(user.after, `\n#undef ${after.name}\n${text}\n`),
    ],
  };
}
