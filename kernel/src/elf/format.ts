import { structure } from "./structure.js";

// Layouts and numbers of the ELF-64 object file format (System V gABI, chapters 4 and 5) and of the processor
// supplements; the kernel has the same in include/uapi/linux/elf.h.

export const MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const;

/** Offsets and values within `e_ident`. */
export const Ident = {
  CLASS: 4,
  DATA: 5,
  VERSION: 6,
  OSABI: 7,
  SIZE: 16,
  CLASS_64: 2,
  LITTLE: 1,
  BIG: 2,
} as const;

/** `Elf64_Ehdr` behind `e_ident`. */
export const FileHeader = structure({
  type: "u16",
  machine: "u16",
  version: "u32",
  entry: "i64",
  programHeaders: "u64",
  sectionHeaders: "u64",
  flags: "u32",
  headerSize: "u16",
  programHeaderSize: "u16",
  programHeaderCount: "u16",
  sectionHeaderSize: "u16",
  sectionCount: "u16",
  sectionNames: "u16",
});

/** `Elf64_Shdr`. */
export const SectionHeader = structure({
  name: "u32",
  type: "u32",
  flags: "u64",
  address: "u64",
  offset: "u64",
  size: "u64",
  link: "u32",
  info: "u32",
  align: "u64",
  entrySize: "u64",
});

/** `Elf64_Phdr`; addresses are signed, as kernels are linked within the last 2 GiB and numbers are exact up to 2^53. */
export const ProgramHeader = structure({
  type: "u32",
  flags: "u32",
  offset: "u64",
  address: "i64",
  physicalAddress: "i64",
  fileSize: "u64",
  memorySize: "u64",
  align: "u64",
});

export const SegmentType = { LOAD: 1 } as const;

/** `Elf64_Sym`. */
export const SymbolEntry = structure({
  name: "u32",
  info: "u8",
  other: "u8",
  section: "u16",
  value: "u64",
  size: "u64",
});

/** `Elf64_Rela`, with `r_info` taken apart: on little-endian files the type is the first word. */
export const RelocationEntry = {
  little: structure({ offset: "u64", type: "u32", symbol: "u32", addend: "i64" }),
  big: structure({ offset: "u64", symbol: "u32", type: "u32", addend: "i64" }),
} as const;

export const FileType = { RELOCATABLE: 1 } as const;

export const Machine = { PPC64: 21, S390: 22, X86_64: 62, AARCH64: 183 } as const;

export const SectionType = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  NOTE: 7,
  NOBITS: 8,
  REL: 9,
  GROUP: 17,
  SYMTAB_SHNDX: 18,
} as const;

export const SectionFlag = {
  WRITE: 0x1,
  ALLOC: 0x2,
  EXECINSTR: 0x4,
  MERGE: 0x10,
  STRINGS: 0x20,
  INFO_LINK: 0x40,
  LINK_ORDER: 0x80,
  GROUP: 0x200,
  /** Relocations that livepatch applies, not the module loader: include/uapi/linux/elf.h. */
  RELA_LIVEPATCH: 0x00100000,
} as const;

/** Reserved section indices. `LIVEPATCH`: include/uapi/linux/elf.h. */
export const SectionIndex = {
  UNDEFINED: 0,
  RESERVED: 0xff00,
  LIVEPATCH: 0xff20,
  ABSOLUTE: 0xfff1,
  COMMON: 0xfff2,
  EXTENDED: 0xffff,
} as const;

export const SymbolBinding = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const;

export const SymbolType = { NONE: 0, OBJECT: 1, FUNCTION: 2, SECTION: 3, FILE: 4 } as const;
