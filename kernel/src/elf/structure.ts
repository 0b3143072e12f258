/** Widths of integer fields in bytes; `i64` is signed. */
const WIDTH = { u8: 1, u16: 2, u32: 4, u64: 8, i64: 8 } as const;

type FieldType = keyof typeof WIDTH;
type Fields = Readonly<Record<string, FieldType>>;
type Values<F extends Fields> = { -readonly [K in keyof F]: number };

/** A C structure of integers without padding; 64-bit fields are numbers as long as they are exact. */
export interface Structure<F extends Fields> {
  /** Bytes. */
  readonly size: number;
  /** Where each field starts: for tables whose entries are too many to make an object of each. */
  readonly at: { readonly [K in keyof F]: number };
  /**
   * @param offset of the structure in `view`
   * @throws RangeError when it does not lie within the view or a field is beyond 2^53
   */
  read(view: DataView, offset: number, littleEndian: boolean): Values<F>;
  /** @throws RangeError when it does not lie within the view */
  write(view: DataView, offset: number, littleEndian: boolean, values: Values<F>): void;
}

/** Describes a binary layout once, for reading and writing alike. */
export function structure<const F extends Fields>(fields: F): Structure<F> {
  const places: { name: keyof F & string; type: FieldType; offset: number }[] = [];
  const at: Partial<Record<keyof F, number>> = {};
  let size = 0;
  for (const [name, type] of Object.entries(fields)) {
    places.push({ name, type, offset: size });
    at[name as keyof F] = size;
    size += WIDTH[type];
  }
  return {
    size,
    at: at as Record<keyof F, number>,
    read(view, offset, littleEndian) {
      const values: Partial<Values<F>> = {};
      for (const { name, type, offset: at } of places)
        values[name] = readInteger(view, offset + at, type, littleEndian);
      return values as Values<F>;
    },
    write(view, offset, littleEndian, values) {
      for (const { name, type, offset: at } of places)
        writeInteger(view, offset + at, type, littleEndian, values[name]);
    },
  };
}

function readInteger(view: DataView, offset: number, type: FieldType, littleEndian: boolean): number {
  switch (type) {
    case "u8":
      return view.getUint8(offset);
    case "u16":
      return view.getUint16(offset, littleEndian);
    case "u32":
      return view.getUint32(offset, littleEndian);
    case "u64":
      return readU64(view, offset, littleEndian);
    default:
      return readI64(view, offset, littleEndian);
  }
}

/** @throws RangeError when it does not lie within the view or the value is beyond 2^53 */
export function readU64(view: DataView, offset: number, littleEndian: boolean): number {
  return exact(
    view.getUint32(offset + (littleEndian ? 4 : 0), littleEndian),
    view.getUint32(offset + (littleEndian ? 0 : 4), littleEndian),
  );
}

/** @throws RangeError when it does not lie within the view or the value is beyond 2^53 either way */
export function readI64(view: DataView, offset: number, littleEndian: boolean): number {
  return exact(
    view.getInt32(offset + (littleEndian ? 4 : 0), littleEndian),
    view.getUint32(offset + (littleEndian ? 0 : 4), littleEndian),
  );
}

/** In two halves, since a BigInt costs ten times as much. */
function exact(high: number, low: number): number {
  if (high === 0) return low;
  const value = high * 2 ** 32 + low;
  if (!Number.isSafeInteger(value)) throw new RangeError("a number is too large");
  return value;
}

function writeInteger(
  view: DataView,
  offset: number,
  type: FieldType,
  littleEndian: boolean,
  value: number,
): void {
  if (type === "u8") view.setUint8(offset, value);
  else if (type === "u16") view.setUint16(offset, value, littleEndian);
  else if (type === "u32") view.setUint32(offset, value, littleEndian);
  else view.setBigInt64(offset, BigInt(value), littleEndian);
}
