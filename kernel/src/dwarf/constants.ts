// Numbers of the DWARF Debugging Information Format, version 5, chapter 7.

export const Tag = {
  ARRAY: 0x01,
  ENUMERATION: 0x04,
  MEMBER: 0x0d,
  POINTER: 0x0f,
  COMPILE_UNIT: 0x11,
  STRUCTURE: 0x13,
  SUBROUTINE_TYPE: 0x15,
  TYPEDEF: 0x16,
  UNION: 0x17,
  SUBRANGE: 0x21,
  BASE_TYPE: 0x24,
  CONST: 0x26,
  ENUMERATOR: 0x28,
  SUBPROGRAM: 0x2e,
  VARIABLE: 0x34,
  VOLATILE: 0x35,
  RESTRICT: 0x37,
  ATOMIC: 0x47,
} as const;

export const Attribute = {
  NAME: 0x03,
  BYTE_SIZE: 0x0b,
  BIT_SIZE: 0x0d,
  STATEMENT_LIST: 0x10,
  CONST_VALUE: 0x1c,
  PRODUCER: 0x25,
  UPPER_BOUND: 0x2f,
  COUNT: 0x37,
  MEMBER_LOCATION: 0x38,
  DECLARATION_FILE: 0x3a,
  DECLARATION_LINE: 0x3b,
  DECLARATION: 0x3c,
  SPECIFICATION: 0x47,
  TYPE: 0x49,
  DATA_BIT_OFFSET: 0x6b,
} as const;

export const Form = {
  ADDR: 0x01,
  BLOCK2: 0x03,
  BLOCK4: 0x04,
  DATA2: 0x05,
  DATA4: 0x06,
  DATA8: 0x07,
  STRING: 0x08,
  BLOCK: 0x09,
  BLOCK1: 0x0a,
  DATA1: 0x0b,
  FLAG: 0x0c,
  SDATA: 0x0d,
  STRP: 0x0e,
  UDATA: 0x0f,
  REF_ADDR: 0x10,
  REF1: 0x11,
  REF2: 0x12,
  REF4: 0x13,
  REF8: 0x14,
  REF_UDATA: 0x15,
  SEC_OFFSET: 0x17,
  EXPRLOC: 0x18,
  FLAG_PRESENT: 0x19,
  STRX: 0x1a,
  ADDRX: 0x1b,
  DATA16: 0x1e,
  LINE_STRP: 0x1f,
  REF_SIG8: 0x20,
  IMPLICIT_CONST: 0x21,
  LOCLISTX: 0x22,
  RNGLISTX: 0x23,
  STRX1: 0x25,
  STRX2: 0x26,
  STRX3: 0x27,
  STRX4: 0x28,
  ADDRX1: 0x29,
  ADDRX2: 0x2a,
  ADDRX3: 0x2b,
  ADDRX4: 0x2c,
} as const;

/** Tags of what functions are made of, which is read apart from types. */
export const CodeTag = {
  FORMAL_PARAMETER: 0x05,
  LEXICAL_BLOCK: 0x0b,
  INLINED_SUBROUTINE: 0x1d,
} as const;

export const CodeAttribute = {
  LOCATION: 0x02,
  LOW_PC: 0x11,
  HIGH_PC: 0x12,
  ABSTRACT_ORIGIN: 0x31,
  RANGES: 0x55,
} as const;

/** Attributes of a unit that say where its part of a shared table begins. */
export const BaseAttribute = { STRING_OFFSETS: 0x72, ADDRESSES: 0x73, RANGE_LISTS: 0x74 } as const;

/** Operations of a location that is a plain address. */
export const Operation = { ADDR: 0x03, ADDRX: 0xa1 } as const;

/** Kinds of entries in `.debug_rnglists`: DWARF 5, 7.25. */
export const RangeEntry = {
  END_OF_LIST: 0,
  BASE_ADDRESSX: 1,
  STARTX_ENDX: 2,
  STARTX_LENGTH: 3,
  OFFSET_PAIR: 4,
  BASE_ADDRESS: 5,
  START_END: 6,
  START_LENGTH: 7,
} as const;

/** `DW_UT_compile`, the only kind of unit in a kernel object. */
export const UNIT_COMPILE = 0x01;

/** Kinds of content in the file table of a line number program. */
export const LineContent = { PATH: 0x1, DIRECTORY: 0x2 } as const;
