import type { ElfRelocation } from "../elf/object.js";
import type { AddressBits, RelocatedField } from "./relocated-field.js";

/** Somewhere in vmlinux or in a module. */
export interface Place {
  /** What it is counted from: `""` for addresses of vmlinux, a section of the module, or `ELSEWHERE` and a symbol's name. */
  readonly base: string;
  readonly offset: number;
}

/** Begins the base of what a module takes from vmlinux or another module. No section is called like this. */
export const ELSEWHERE = "symbol ";

/** vmlinux or a module as the distribution ships it, before anything patches it. */
export interface KernelCode {
  /** How a person calls it: `the image`, or the module's file. */
  readonly name: string;
  /** @returns undefined when not all of it is there */
  bytes(place: Place, size: number): Uint8Array | undefined;
  /** @returns defined symbols of this name in the kernel's order; `local` as in the symbol table */
  symbols(name: string): readonly { readonly place: Place; readonly local: boolean }[];
  /** Whether its symbol table has variables, too: of vmlinux with CONFIG_KALLSYMS_ALL only. */
  readonly listsVariables: boolean;
  /** Where a symbol lies that the module takes from elsewhere; nothing for vmlinux, which takes none. */
  elsewhere(name: string): Place | undefined;
  /**
   * What the field at a place leads to, its addend included.
   * @returns `unreadable` when the file does not tell, undefined when there is no such reference
   */
  leadsTo(
    place: Place,
    field: RelocatedField,
    type: number,
  ): { readonly base: string; readonly bits: AddressBits } | "unreadable" | undefined;
  /** Relocations that the file itself still has there; none for vmlinux. */
  relocations(place: Place, size: number): readonly ElfRelocation[];
  /** The nearest symbol at or below a place, with the distance. */
  nameAt(place: Place): string;
}
