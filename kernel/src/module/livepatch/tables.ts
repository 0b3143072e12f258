import { Machine, SectionFlag, SymbolBinding, SymbolType } from "../../elf/format.js";
import { type ElfObject, type ElfSymbol, newSection, sectionSymbol } from "../../elf/object.js";
import { alignUp } from "../../elf/write.js";
import { Fault } from "../../host/fault.js";
import type { CallbackKind, SystemState } from "../../objdiff/marks.js";
import { type Layout, layoutOf } from "../runtime.js";

/** A function of the running kernel and the code that takes its place. */
export interface Redirect {
  /** `vmlinux` or a module's name. */
  readonly object: string;
  readonly name: string;
  readonly sympos: number;
  /** The carried function. */
  readonly replacement: ElfSymbol;
}

/** A function of the patch that the livepatch core calls. */
export interface Callback {
  /** `vmlinux` or a module's name. */
  readonly object: string;
  readonly kind: CallbackKind;
  readonly handler: ElfSymbol;
}

/** All that the tables of a patch say. */
export interface PatchContents {
  readonly redirects: readonly Redirect[];
  /** At most one of a kind for each object. */
  readonly callbacks: readonly Callback[];
  /** Each id once, none 0. */
  readonly states: readonly SystemState[];
  readonly replace: boolean;
}

/**
 * Writes `struct klp_patch hotpatch_patch` with its objects, functions and states (include/linux/livepatch.h), as the
 * compiler would have written the same in C: zeros but for names, numbers and pointers.
 * @returns an object to be joined with the carried code and the entry
 */
export function livepatchTables(
  like: ElfObject,
  layout: Layout,
  { redirects, callbacks, states, replace }: PatchContents,
): ElfObject {
  const pointer = absoluteRelocation(like.machine);
  const objects = [...new Set([...redirects, ...callbacks].map(({ object }) => object))].sort();
  const [funcSize, objectSize, patchSize, stateSize] = ["func", "object", "patch", "state"].map((name) =>
    layoutOf(layout, `struct klp_${name}`),
  ) as [number, number, number, number];
  // Patch, then objects with an empty one at the end, then for each object its functions with an empty one at the end,
  // then states with an empty one at the end.
  const objectsAt = alignUp(patchSize, 8);
  const functionsAt = objectsAt + (objects.length + 1) * objectSize;
  const statesAt = alignUp(functionsAt + (redirects.length + objects.length) * funcSize, 8);
  const size = statesAt + (states.length > 0 ? states.length + 1 : 0) * stateSize;
  const data = newSection(".data.hotpatch", SectionFlag.ALLOC | SectionFlag.WRITE, 8, new Uint8Array(size));
  const strings = newSection(".rodata.hotpatch", SectionFlag.ALLOC, 1);
  const dataSymbol = sectionSymbol(data);
  const stringsSymbol = sectionSymbol(strings);
  const thisModule: ElfSymbol = {
    name: "__this_module",
    binding: SymbolBinding.GLOBAL,
    type: SymbolType.OBJECT,
    other: 0,
    section: "undefined",
    value: 0,
    size: 0,
  };
  const patch: ElfSymbol = {
    name: "hotpatch_patch",
    binding: SymbolBinding.GLOBAL,
    type: SymbolType.OBJECT,
    other: 0,
    section: data,
    value: 0,
    size: patchSize,
  };

  const view = new DataView(data.data.buffer);
  const point = (offset: number, symbol: ElfSymbol, addend = 0) =>
    data.relocations.push({ offset, type: pointer, symbol, addend });
  const text: Uint8Array[] = [];
  let textSize = 0;
  const pointAtString = (offset: number, value: string) => {
    const bytes = new TextEncoder().encode(`${value}\0`);
    point(offset, stringsSymbol, textSize);
    text.push(bytes);
    textSize += bytes.length;
  };

  point(layoutOf(layout, "struct klp_patch.mod"), thisModule);
  point(layoutOf(layout, "struct klp_patch.objs"), dataSymbol, objectsAt);
  view.setUint8(layoutOf(layout, "struct klp_patch.replace"), replace ? 1 : 0);
  let funcAt = functionsAt;
  for (const [index, object] of objects.entries()) {
    const at = objectsAt + index * objectSize;
    // A null name means vmlinux.
    if (object !== "vmlinux") pointAtString(at + layoutOf(layout, "struct klp_object.name"), object);
    point(at + layoutOf(layout, "struct klp_object.funcs"), dataSymbol, funcAt);
    for (const { kind, handler } of callbacks.filter((other) => other.object === object))
      point(at + layoutOf(layout, `struct klp_object.callbacks.${kind}`), handler);
    for (const redirect of redirects.filter((other) => other.object === object)) {
      pointAtString(funcAt + layoutOf(layout, "struct klp_func.old_name"), redirect.name);
      point(funcAt + layoutOf(layout, "struct klp_func.new_func"), redirect.replacement);
      view.setBigUint64(
        funcAt + layoutOf(layout, "struct klp_func.old_sympos"),
        BigInt(redirect.sympos),
        like.littleEndian,
      );
      funcAt += funcSize;
    }
    funcAt += funcSize;
  }
  if (states.length > 0) point(layoutOf(layout, "struct klp_patch.states"), dataSymbol, statesAt);
  for (const [index, { id, version }] of states.entries()) {
    const at = statesAt + index * stateSize;
    view.setBigUint64(at + layoutOf(layout, "struct klp_state.id"), BigInt(id), like.littleEndian);
    view.setUint32(at + layoutOf(layout, "struct klp_state.version"), version, like.littleEndian);
  }
  strings.data = Buffer.concat(text);
  data.relocations.sort((a, b) => a.offset - b.offset);
  const { machine, littleEndian, osAbi, flags } = like;
  return {
    machine,
    littleEndian,
    osAbi,
    flags,
    sections: [data, strings],
    symbols: [dataSymbol, stringsSymbol, thisModule, patch],
  };
}

/**
 * The relocation that stores a 64-bit address.
 * @throws Fault `defect` for a machine that we write no modules for
 */
export function absoluteRelocation(machine: number): number {
  const type = ABSOLUTE[machine];
  if (type === undefined) throw new Fault("defect", `no livepatch tables for ELF machine ${machine}`);
  return type;
}

const ABSOLUTE: Readonly<Record<number, number>> = { [Machine.X86_64]: 1, [Machine.AARCH64]: 257 };
