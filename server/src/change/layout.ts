import { constantValue } from "./constant.js";
import type { TypeItem } from "./item.js";

/** Where the members of a struct or union are, as far as its own text tells. */
export interface Layout {
  /** By path, those of unnamed structs as C names them: `flags`, `inner.count`. */
  readonly members: ReadonlyMap<string, LaidOut>;
  /** Equal for two layouts only if both are of one size. */
  readonly size: string;
  /** In bytes, when it is known. */
  readonly bytes?: number;
}

export interface LaidOut {
  /** Equal in two layouts only if the member begins at the same bit in both. */
  readonly position: string;
  /** Its declaration without its name and without what does not matter to the compiler. */
  readonly type: string;
  /** In bytes, when it is known; a bit-field's width is in its type. */
  readonly bytes?: number;
}

/**
 * Lays a type out as the ABI of 64-bit kernels does (System V AMD64 3.1.2, AAPCS64 5.9: natural alignment, bit-fields in
 * units of their type). Members of types whose size the text does not tell are taken as unknown: what stands behind one
 * has a place relative to it.
 * @param item a struct or union
 * @param named values of constants, for sizes of arrays
 */
export function layoutOf(item: TypeItem, named?: ReadonlyMap<string, bigint>): Layout {
  const members = item.members.filter(({ kept }) => kept !== "no").map(({ tokens }) => tokens);
  const isPacked = item.annotations.some((word) => /\bpacked\b|\b__packed\b/.test(word));
  const aggregate = layOut(members, item.keyword === "union", isPacked, named);
  return {
    members: aggregate.members,
    size: `${aggregate.shape.id} ${item.annotations.join(" ")}`,
    ...(aggregate.shape.bytes !== undefined && { bytes: aggregate.shape.bytes }),
  };
}

/** Size in bytes of a type's text, where it is known: `unsigned long`, `struct list_head`, `char * [ 4 ]`. */
export function sizeOfType(type: string, named?: ReadonlyMap<string, bigint>): number | undefined {
  return declared(plain(type), named).bytes;
}

interface Shape {
  /** Equal only for what is equally big and equally aligned. */
  readonly id: string;
  readonly bytes?: number;
  readonly align?: number;
}

interface Aggregate {
  readonly shape: Shape;
  readonly members: Map<string, LaidOut>;
}

/** A place: so many bits behind an anchor, which is known to be a multiple of so many bytes. */
interface At {
  readonly anchor: string;
  readonly multiple: number;
  readonly bits: number;
}

/** The start of an object is aligned to whatever its members ask for. */
const START: At = { anchor: "", multiple: 4096, bits: 0 };

function layOut(
  declarations: readonly string[],
  isUnion: boolean,
  isPacked: boolean,
  named?: ReadonlyMap<string, bigint>,
): Aggregate {
  const members = new Map<string, LaidOut>();
  let at = START;
  let align: number | undefined = 1;
  let end: number | undefined = 0;
  // Of a union: bits of its largest member, and those whose size is not known.
  let largest = 0;
  const unknown: string[] = [];
  for (const declaration of declarations) {
    const member = readMember(declaration, named);
    if (isUnion) at = START;
    const { width, shape } = member;
    const own = isPacked && shape.align !== undefined ? 1 : shape.align;
    const begin = width === undefined ? aligned(at, own) : bitField(at, shape, width, isPacked);
    const position = (inner = "") => `${begin.anchor}+${begin.bits}${inner}`;
    const bytes = shape.bytes !== undefined && width === undefined ? { bytes: shape.bytes } : {};
    if (member.name !== "" || !member.inner)
      members.set(member.name || `unnamed ${members.size}`, {
        position: position(),
        type: member.type,
        ...bytes,
      });
    for (const [path, inner] of member.inner ?? [])
      members.set(member.name ? `${member.name}.${path}` : path, {
        ...inner,
        position: position(`/${inner.position}`),
      });
    at = behind(begin, shape, width);
    align = align === undefined || own === undefined ? undefined : Math.max(align, width === 0 ? 1 : own);
    if (at.anchor !== "") {
      end = undefined;
      unknown.push(`${at.anchor}+${at.bits}`);
    } else largest = Math.max(largest, at.bits);
    if (at.anchor === "" && end !== undefined) end = isUnion ? largest : at.bits;
  }
  if (end !== undefined && align !== undefined) {
    const bytes = up(Math.ceil(end / 8), align);
    return { members, shape: { id: `${bytes}^${align}`, bytes, align } };
  }
  const tail = isUnion ? [`${largest}`, ...unknown.toSorted()].join("|") : `${at.anchor}+${at.bits}`;
  return { members, shape: { id: `${tail}^${align ?? "?"}` } };
}

function up(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** @param align undefined when it is not known: the place is then told by what is in front of it */
function aligned(at: At, align: number | undefined): At {
  if (align === undefined) return at;
  if (align <= at.multiple) return { ...at, bits: up(at.bits, align * 8) };
  return { anchor: `(${at.anchor}+${at.bits}^${align})`, multiple: align, bits: 0 };
}

function bitField(at: At, { bytes }: Shape, width: number, isPacked: boolean): At {
  if (bytes === undefined || bytes > at.multiple)
    return { anchor: `(${at.anchor}+${at.bits}:${bytes})`, multiple: 1, bits: 0 };
  const unit = bytes * 8;
  if (width === 0) return { ...at, bits: up(at.bits, unit) };
  const crosses = Math.floor(at.bits / unit) !== Math.floor((at.bits + width - 1) / unit);
  return crosses && !isPacked ? { ...at, bits: up(at.bits, unit) } : at;
}

function behind(at: At, { bytes, id }: Shape, width: number | undefined): At {
  if (width !== undefined) return { ...at, bits: at.bits + width };
  if (bytes !== undefined) return { ...at, bits: up(at.bits, 8) + bytes * 8 };
  return { anchor: `(${at.anchor}+${at.bits} ${id})`, multiple: 1, bits: 0 };
}

interface ReadMember {
  readonly name: string;
  readonly type: string;
  readonly shape: Shape;
  /** Of a bit-field. */
  readonly width?: number;
  /** Members of a struct or union that is declared in place. */
  readonly inner?: ReadonlyMap<string, LaidOut>;
}

function readMember(declaration: string, named?: ReadonlyMap<string, bigint>): ReadMember {
  const whole = plain(declaration);
  const special = whole.match(ALIGNING);
  if (special) {
    const read = readMember(whole.replace(ALIGNING, "").replace(/ {2,}/g, " ").trim(), named);
    const id = `${read.shape.id} ${special.join(" ")}`;
    return { ...read, type: `${read.type} ${special.join(" ")}`, shape: { id } };
  }
  const text = whole.replace(GROUP, "struct { $1 }");
  const nested = /^(struct|union)(?: \w+)? \{ (.*) \}([^{}]*)$/.exec(text);
  if (nested) {
    const [, keyword, body = "", rest = ""] = nested;
    const behindIt = /^( __packed)? ?(\w+)?((?: \[[^\]]*\])*)$/.exec(rest);
    // Branches of a struct within: its members are known by name, its size is not.
    const unconditional = body.replace(/# (?:ifn?def \w+|endif|else) ?/g, "");
    if (behindIt && !unconditional.includes("#")) {
      const [, packed, name = "", dimensions = ""] = behindIt;
      const isPacked = packed !== undefined;
      const inner = layOut(declarationsIn(unconditional), keyword === "union", isPacked, named);
      const shape = unconditional === body ? inner.shape : { id: text };
      const all = dimensions === "" ? shape : repeated(shape, dimensions, named);
      return { name, type: `${keyword} {}${dimensions}`, shape: all, inner: inner.members };
    }
    return { name: "", type: text, shape: { id: text } };
  }
  // A macro that declares members, such as DECLARE_BITMAP(name, bits).
  if (/^\w+ \(/.test(text) && !/^\w+ \( \*/.test(text))
    return { name: /^DECLARE_\w+ \( (\w+)/.exec(text)?.[1] ?? "", type: text, shape: { id: text } };
  const field = /^(.*?)(?: (\w+))? : (.+)$/.exec(text);
  if (field) {
    const [, type = "", name = "", bits = ""] = field;
    const width = constantValue(bits, named);
    const shape = declared(type, named);
    if (width === undefined) return { name, type: `${type} : ${bits}`, shape: { id: text } };
    return { name, type: `${type} : ${width}`, shape, width: Number(width) };
  }
  const name = nameIn(text);
  const type =
    name === "" ? text : text.replace(new RegExp(`(^| )${name}( |$)(?!.*[ ]${name}( |$))`), "$1$2");
  return { name, type: type.trim().replace(/ {2,}/g, " "), shape: declared(type, named) };
}

/** `int ( * fn ) ( int )`, `char name [ 4 ]`, `struct foo * p`: the name that is declared. */
function nameIn(text: string): string {
  const behindPointer = /\( \*+ (?:const )?(\w+)(?: \[[^\]]*\])* \)/.exec(text)?.[1];
  if (behindPointer !== undefined) return behindPointer;
  return /(?:^|.* )(\w+)(?: \[[^\]]*\])*$/.exec(text)?.[1] ?? "";
}

/** What stands between braces, declaration by declaration. */
function declarationsIn(body: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let open: string[] = [];
  for (const token of body.split(" ")) {
    if (token === "{" || token === "(") depth++;
    if (token === "}" || token === ")") depth--;
    if (token === ";" && depth === 0) {
      found.push(...declaratorsOf(open.join(" ")));
      open = [];
    } else open.push(token);
  }
  return found;
}

/** `int a , b`: `int a` and `int b`. */
function declaratorsOf(declaration: string): string[] {
  if (/[({]/.test(declaration) || !declaration.includes(",")) return [declaration];
  const [first = "", ...others] = declaration.split(" , ");
  const type = first.replace(/[ *]*\w+(?: \[[^\]]*\]| : .*)*$/, "");
  return [first, ...others.map((other) => `${type} ${other}`)];
}

/** What asks for another alignment than the type's own: as much as is known is that it was asked for. */
const ALIGNING =
  /(?<= |^)(?:____cacheline\w*|__cacheline\w*|__page_aligned\w*|__aligned \( [^()]*(?:\( [^()]* \) )?\)|__aligned|__attribute__ \( \( .*? \) \))(?= |$)/g;
/** `struct_group(name, members)`: a struct without a name beside one of that name (include/linux/stddef.h). */
const GROUP = /^struct_group(?:_tagged \( \w+ ,)?(?: \()? \w+ , (.*) \)$/;

/** Words that tell tools and readers something, and the compiler nothing of sizes (include/linux/compiler_types.h). */
const SILENT =
  /(?<= |^)(?:__rcu|__user|__iomem|__kernel|__percpu|__private|__bitwise|__force|__nocast|__maybe_unused|__deprecated|__nonstring|__always_unused|__randomize_layout|__no_randomize_layout|const|volatile|__counted_by(?:_le|_be)? \( \w+ \)|__guarded_by \( [^)]* \))(?= |$)/g;

/** Integers of one size and sign have many names (include/linux/types.h). */
const SAME: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:unsigned long|unsigned long int|unsigned long long|unsigned long long int|__u64|uint64_t|size_t|uintptr_t)$/,
    "u64",
  ],
  [/^(?:long|long int|long long|long long int|__s64|int64_t|ssize_t)$/, "s64"],
  [/^(?:unsigned|unsigned int|__u32|uint32_t)$/, "u32"],
  [/^(?:int|signed int|__s32|int32_t)$/, "s32"],
  [/^(?:unsigned short|unsigned short int|short unsigned int|__u16|uint16_t)$/, "u16"],
  [/^(?:unsigned char|__u8|uint8_t)$/, "u8"],
];

/**
 * Whether two types are one to the compiled code, although they are written in other words: `unsigned long` and `u64`, a
 * function's parameters under other names.
 */
export function isSameType(one: string, other: string): boolean {
  return one === other || canonical(one) === canonical(other);
}

function canonical(type: string): string {
  const [, base = "", behind = ""] = /^(.*?)((?: : .*| \[.*)?)$/.exec(type.trim()) ?? [];
  const same = SAME.find(([pattern]) => pattern.test(base));
  if (same) return same[1] + behind;
  return type.replace(/(\( \*? ?\) )\( (.*) \)$/, (_, pointer: string, list: string) => {
    const parameters = list.split(" , ").map((parameter) => {
      const words = parameter.split(" ");
      const isNamed =
        words.length > 1 &&
        /^[a-z_]\w*$/i.test(words.at(-1) ?? "") &&
        !/^(?:struct|union|enum|const)$/.test(words.at(-2) ?? "") &&
        !/^(?:int|long|char|short|unsigned|void|bool)$/.test(words.at(-1) ?? "");
      return canonical((isNamed ? words.slice(0, -1) : words).join(" "));
    });
    return `${pointer}( ${parameters.join(" , ")} )`;
  });
}

function plain(text: string): string {
  return text.replace(SILENT, "").replace(/ ;$/, "").replace(/ {2,}/g, " ").trim();
}

/** @param type a declaration without its name */
function declared(type: string, named?: ReadonlyMap<string, bigint>): Shape {
  const unknown = { id: type };
  if (/\( \*/.test(type)) {
    const dimensions = /\( \*+ ?((?: ?\[[^\]]*\])*) \)/.exec(type)?.[1] ?? "";
    return repeated(POINTER, dimensions, named);
  }
  const [, base = "", dimensions = ""] = /^(.*?)((?: ?\[[^\]]*\])*)$/.exec(type.trim()) ?? [];
  if (base.endsWith("*")) return repeated(POINTER, dimensions, named);
  const bytes = BYTES.get(base.trim()) ?? (/^enum \w+$/.test(base.trim()) ? 4 : undefined);
  if (bytes === undefined) return dimensions === "" ? unknown : repeated({ id: base }, dimensions, named);
  const align = ALIGN.get(base.trim()) ?? Math.min(bytes, 8);
  return repeated({ id: `${bytes}^${align}`, bytes, align }, dimensions, named);
}

function repeated(shape: Shape, dimensions: string, named?: ReadonlyMap<string, bigint>): Shape {
  let { id, bytes } = shape;
  for (const [, count = ""] of dimensions.matchAll(/\[ ?([^\]]*?) ?\]/g)) {
    const times = count === "" ? 0n : constantValue(count, named);
    bytes = bytes === undefined || times === undefined ? undefined : bytes * Number(times);
    id = `${id}[${times ?? count}]`;
  }
  return {
    id,
    ...(bytes !== undefined && { bytes }),
    ...(shape.align !== undefined && { align: shape.align }),
  };
}

const POINTER: Shape = { id: "8^8", bytes: 8, align: 8 };

/** Of 64-bit kernels, whatever their configuration (include/linux/types.h, include/asm-generic/int-ll64.h). */
const BYTES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    1: "char,signed char,unsigned char,u8,s8,__u8,__s8,uint8_t,int8_t,bool,_Bool",
    2: "short,short int,unsigned short,unsigned short int,u16,s16,__u16,__s16,uint16_t,int16_t,__be16,__le16,umode_t",
    4: "int,unsigned,unsigned int,signed int,u32,s32,__u32,__s32,uint32_t,int32_t,__be32,__le32,atomic_t,refcount_t,struct kref,gfp_t,pid_t,uid_t,gid_t,kuid_t,kgid_t,dev_t,fmode_t,__poll_t",
    8: "long,long int,unsigned long,unsigned long int,long long,unsigned long long,u64,s64,__u64,__s64,uint64_t,int64_t,__be64,__le64,size_t,ssize_t,loff_t,sector_t,blkcnt_t,ktime_t,time64_t,pgoff_t,atomic64_t,atomic_long_t,uintptr_t,phys_addr_t,dma_addr_t,struct hlist_head",
    16: "struct list_head,struct hlist_node,struct rcu_head,struct callback_head",
  }).flatMap(([bytes, types]) => types.split(",").map((type) => [type, Number(bytes)] as const)),
);
const ALIGN: ReadonlyMap<string, number> = new Map([["struct kref", 4]]);
