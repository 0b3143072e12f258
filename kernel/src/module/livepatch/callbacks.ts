import { SectionFlag, SymbolType } from "../../elf/format.js";
import { type ElfObject, newSection, sectionSymbol } from "../../elf/object.js";
import { Fault } from "../../host/fault.js";
import type { CallbackKind } from "../../objdiff/marks.js";
import type { Observation } from "../../observation.js";
import { absoluteRelocation, type Callback } from "./tables.js";

/** The callbacks that one unit of a patch declares. */
export interface DeclaredCallbacks {
  readonly unit: string;
  readonly object: string;
  /** Holds the functions. */
  readonly carried: ElfObject;
  readonly callbacks: readonly { readonly kind: CallbackKind; readonly name: string }[];
}

/**
 * Stores the addresses of a unit's callbacks in a section of its own: as far as objtool sees, nobody else calls them
 * through a pointer, and it would seal them against just that (`.ibt_endbr_seal`, tools/objtool/check.c).
 * @param carried changed in place
 */
export function keepCallable({ carried, callbacks }: DeclaredCallbacks): void {
  if (callbacks.length === 0) return;
  const flags = SectionFlag.ALLOC | SectionFlag.WRITE;
  const section = newSection(".data.hotpatch.callbacks", flags, 8, new Uint8Array(8 * callbacks.length));
  section.relocations = callbacks.map(({ name }, index) => ({
    offset: 8 * index,
    type: absoluteRelocation(carried.machine),
    symbol: functionOf(carried, name),
    addend: 0,
  }));
  carried.sections.push(section);
  carried.symbols.push(sectionSymbol(section));
}

/** Brings the callbacks of all units together: the kernel has room for one of a kind in each object. */
export function callbacksOf(units: readonly DeclaredCallbacks[]): {
  callbacks: Callback[];
  refusals: Observation[];
} {
  const callbacks: Callback[] = [];
  const refusals: Observation[] = [];
  const first = new Map<string, string>();
  for (const { unit, object, carried, callbacks: declared } of units)
    for (const { kind, name } of declared) {
      const place = `${object} ${kind}`;
      const other = first.get(place);
      if (other === undefined) {
        first.set(place, `'${name}' of ${unit}`);
        callbacks.push({ object, kind, handler: functionOf(carried, name) });
      } else
        refusals.push({
          rule: "callback-pairing",
          severity: "unsafe",
          file: unit,
          symbol: name,
          message: `${object} has two ${kind.replace("_", "-")} callbacks, ${other} and '${name}' of ${unit}; the kernel calls one of each kind: let one of them call the other`,
        });
    }
  return { callbacks, refusals };
}

function functionOf({ symbols }: ElfObject, name: string) {
  const found = symbols.find(
    (symbol) =>
      symbol.name === name && symbol.type === SymbolType.FUNCTION && typeof symbol.section === "object",
  );
  if (found === undefined) throw new Fault("defect", `the callback '${name}' is not carried`);
  return found;
}
