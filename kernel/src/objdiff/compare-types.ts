import type { DebugInformation, Member, TypeLayout } from "../dwarf/debug-information.js";
import type { Observation } from "../observation.js";

/**
 * Says which types that both objects know are laid out differently: what was allocated before the patch has the old
 * layout, and so has all code that is not carried.
 */
export function compareTypes(orig: DebugInformation, patched: DebugInformation): Observation[] {
  const before = byName(orig);
  const observations: Observation[] = [];
  for (const [key, after] of byName(patched)) {
    const old = before.get(key);
    // Several types of one name live in functions; then only the whole set can be compared.
    const [was, is] = [old?.[0], after[0]];
    if (old === undefined || was === undefined || is === undefined) continue;
    if (old.length === after.length && old.every((type, index) => sameLayout(type, after[index]))) continue;
    const isAlone = old.length === 1 && after.length === 1;
    const change =
      is.keyword === "enum" ? enumChange(was, is) : (isAlone && renaming(was, is)) || layoutChange(was, is);
    if (change !== undefined)
      observations.push({ ...change, symbol: `${is.keyword} ${is.name}`, file: is.file, line: is.line });
  }
  return observations;
}

function byName({ types }: DebugInformation): Map<string, TypeLayout[]> {
  const known = new Map<string, TypeLayout[]>();
  for (const type of types) {
    const key = `${type.keyword} ${type.name}`;
    const list = known.get(key);
    if (list === undefined) known.set(key, [type]);
    else list.push(type);
  }
  return known;
}

function sameLayout(was: TypeLayout, is: TypeLayout | undefined): boolean {
  return (
    is !== undefined &&
    was.size === is.size &&
    was.members.length === is.members.length &&
    was.members.every((member, index) => {
      const other = is.members[index];
      return (
        member.name === other?.name &&
        member.offset === other.offset &&
        member.bits === other.bits &&
        member.type === other.type
      );
    })
  );
}

/**
 * What only gives members other names, or second ones: the bytes and what is in them stay. What they mean is for a
 * person to judge.
 */
function renaming(was: TypeLayout, is: TypeLayout): Omit<Observation, "symbol"> | undefined {
  const place = ({ offset, bits, type }: Member) => `${offset} ${bits} ${type}`;
  const [before, after] = [new Set(was.members.map(place)), new Set(is.members.map(place))];
  if (was.size !== is.size || before.size !== after.size) return undefined;
  if (![...after].every((member) => before.has(member))) return undefined;
  const old = new Map(was.members.map((member) => [member.name, place(member)]));
  if (is.members.some((member) => (old.get(member.name) ?? place(member)) !== place(member)))
    return undefined;
  const [first, ...others] = is.members.filter(({ name }) => !old.has(name));
  if (first === undefined) return undefined;
  return {
    rule: "data-layout",
    severity: "needs-review",
    message: `${describe(is)} keeps its layout: '${first.name}' is a new name for what is there${more(others.length + 1)}; objects that exist hold what it meant before`,
  };
}

function enumChange(was: TypeLayout, is: TypeLayout): Pick<Observation, "rule" | "message"> | undefined {
  const now = new Map(is.members.map(({ name, offset }) => [name, offset]));
  const moved = was.members.filter(({ name, offset }) => now.get(name) !== offset);
  if (moved.length === 0) return undefined;
  const [first] = moved;
  const value = first && now.get(first.name);
  return {
    rule: "constant-meaning",
    message:
      `${describe(is)}: '${first?.name}' was ${first?.offset} and ` +
      `${value === undefined ? "is gone" : `becomes ${value}`}${more(moved.length)}; live objects hold the old numbers`,
  };
}

function layoutChange(was: TypeLayout, is: TypeLayout): Pick<Observation, "rule" | "message"> {
  const now = new Map(is.members.map((member) => [member.name, member]));
  const old = new Map(was.members.map((member) => [member.name, member]));
  const reasons = [
    ...is.members.filter(({ name }) => !old.has(name)).map(({ name }) => `member '${name}' is new`),
    ...was.members.filter(({ name }) => !now.has(name)).map(({ name }) => `member '${name}' is gone`),
    ...was.members.flatMap((member) => memberChange(member, now.get(member.name))),
  ];
  const size =
    was.size === is.size ? `stays at ${is.size} bytes, but` : `changes from ${was.size} to ${is.size} bytes:`;
  return {
    rule: "data-layout",
    message: `${describe(is)} ${size} ${reasons[0] ?? "its alignment differs"}${more(reasons.length)}`,
  };
}

function memberChange(was: Member, is: Member | undefined): string[] {
  if (is === undefined) return [];
  if (was.type !== is.type) return [`member '${is.name}' becomes '${is.type}', it was '${was.type}'`];
  if (was.offset !== is.offset)
    return [`member '${is.name}' moves from byte ${was.offset / 8} to ${is.offset / 8}`];
  return was.bits === is.bits ? [] : [`bit-field '${is.name}' changes from ${was.bits} to ${is.bits} bits`];
}

function describe({ keyword, name }: TypeLayout): string {
  return `${keyword} ${name}`;
}

function more(count: number): string {
  return count > 1 ? ` (and ${count - 1} more)` : "";
}
