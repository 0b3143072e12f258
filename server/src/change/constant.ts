/**
 * The value of a constant expression, where its text tells.
 * @param normal in normal form: `( 1 << 3 ) | BIT ( 0 )`
 * @param named values of the names in it
 * @returns undefined for anything but integers, their operators, `BIT` and names of known values
 */
export function constantValue(
  normal: string,
  named: ReadonlyMap<string, bigint> = new Map(),
): bigint | undefined {
  const tokens = normal.split(" ").filter((token) => token !== "");
  let at = 0;
  const take = (token: string): boolean => {
    if (tokens[at] !== token) return false;
    at++;
    return true;
  };
  const unary = (): bigint | undefined => {
    const token = tokens[at++];
    if (token === undefined) return undefined;
    if (token === "(") {
      const inner = binary(0);
      return take(")") ? inner : undefined;
    }
    if (token === "BIT" || token === "BIT_ULL" || token === "_BITUL") {
      if (!take("(")) return undefined;
      const bit = binary(0);
      return take(")") && bit !== undefined && bit >= 0n && bit < 64n ? 1n << bit : undefined;
    }
    if (token === "-" || token === "~" || token === "+") {
      const value = unary();
      if (value === undefined) return undefined;
      return token === "-" ? -value : token === "~" ? ~value : value;
    }
    const digits = /^(0[xX][0-9a-fA-F]+|\d+)[uUlL]*$/.exec(token)?.[1];
    if (digits === undefined) return named.get(token);
    return BigInt(/^0\d+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  };
  const binary = (weakest: number): bigint | undefined => {
    let left = unary();
    for (;;) {
      const operator = OPERATORS.get(tokens[at] ?? "");
      if (left === undefined || !operator || operator.strength < weakest) return left;
      at++;
      const right = binary(operator.strength + 1);
      left = right === undefined ? undefined : operator.apply(left, right);
    }
  };
  const value = binary(0);
  return at === tokens.length ? value : undefined;
}

interface Operator {
  readonly strength: number;
  apply(left: bigint, right: bigint): bigint | undefined;
}

const shift = (by: bigint) => by >= 0n && by < 64n;
/** C11 6.5: the more strength, the tighter it binds. */
const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ["|", { strength: 1, apply: (a, b) => a | b }],
  ["^", { strength: 2, apply: (a, b) => a ^ b }],
  ["&", { strength: 3, apply: (a, b) => a & b }],
  ["<<", { strength: 4, apply: (a, b) => (shift(b) ? a << b : undefined) }],
  [">>", { strength: 4, apply: (a, b) => (shift(b) ? a >> b : undefined) }],
  ["+", { strength: 5, apply: (a, b) => a + b }],
  ["-", { strength: 5, apply: (a, b) => a - b }],
  ["*", { strength: 6, apply: (a, b) => a * b }],
  ["/", { strength: 6, apply: (a, b) => (b === 0n ? undefined : a / b) }],
  ["%", { strength: 6, apply: (a, b) => (b === 0n ? undefined : a % b) }],
] satisfies [string, Operator][]);
