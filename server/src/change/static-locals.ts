import type { SyntaxNode } from "../syntax/tree.js";
import { descendants } from "./calls.js";
import { innermostName } from "./describe.js";
import { mentions, normalForm } from "./tokens.js";

/** A variable of a function that outlives its calls. */
export interface StaticLocal {
  readonly name: string;
  /** Its declaration in normal form, without name and initialiser; with the macro and its arguments where one declares it. */
  readonly type: string;
  /** Tokens of the initialiser. */
  readonly initial?: string;
  readonly isConst: boolean;
  readonly isPerCpu: boolean;
  /** An integer, not an array, a struct or a pointer: what is constant then is no variable to the compiler. */
  readonly isScalar: boolean;
  /** Named once more in the function: one that is only declared is left out by the compiler. */
  readonly isUsed: boolean;
  /** Its name. */
  readonly at: SyntaxNode;
}

/** What the text of a function with static variables holds. */
export const STATIC = /\bstatic\b/;

/** The static variables within a function, in the order of the text. @param body syntax of the whole function */
export function staticLocals(body: SyntaxNode): StaticLocal[] {
  const found: Declared[] = [];
  for (const node of descendants(body)) {
    if (node.type !== "declaration" && node.type !== "macro_declaration") continue;
    const isStatic = node.children.some(
      (child) => child.type === "storage_class_specifier" && child.text === "static",
    );
    if (!isStatic || node.id === body.id) continue;
    found.push(...(node.type === "declaration" ? declared(node) : declaredByMacro(node)));
  }
  const words = normalForm(body.text).split(" ");
  const count = (name: string) => words.filter((word) => word === name).length;
  return found.map((local) => ({ ...local, isUsed: count(local.name) > 1 }));
}

/** A static variable, before it is known whether anything uses it. */
type Declared = Omit<StaticLocal, "isUsed">;

function declared(node: SyntaxNode): Declared[] {
  const type = node.childForFieldName("type");
  const first = node.children.find(
    (child) => type !== null && child.startIndex >= type.endIndex && isDeclarator(child),
  );
  const end = (first ?? node).startIndex - node.startIndex;
  const prefix = normalForm(node.text.slice(0, end));
  return node.children
    .filter((child) => first !== undefined && child.startIndex >= first.startIndex && isDeclarator(child))
    .flatMap((declarator): Declared[] => {
      const isInitialised = declarator.type === "init_declarator";
      const inner = isInitialised ? (declarator.childForFieldName("declarator") ?? declarator) : declarator;
      const at = innermostName(inner);
      if (!at) return [];
      const value = isInitialised ? declarator.childForFieldName("value") : null;
      const shape = normalForm(
        `${inner.text.slice(0, at.startIndex - inner.startIndex)} ${inner.text.slice(at.endIndex - inner.startIndex)}`,
      );
      const whole = shape === "" ? prefix : `${prefix} ${shape}`;
      return [
        {
          name: at.text,
          type: whole,
          ...(value && { initial: normalForm(value.text) }),
          // Behind the last `*`: of `const char *` the characters are constant, the pointer is not.
          isConst: mentions(whole.slice(whole.lastIndexOf("*") + 1), "const"),
          isPerCpu: false,
          isScalar: shape === "" && !/\b(?:struct|union)\b/.test(prefix),
          at,
        },
      ];
    });
}

function declaredByMacro(node: SyntaxNode): Declared[] {
  const macro = node.childForFieldName("name")?.text ?? "";
  const given = (node.childForFieldName("arguments")?.namedChildren ?? []).filter(
    (child) => child.type !== "comment",
  );
  const typeFirst = macro.includes("PER_CPU");
  const name = typeFirst ? given[1] : given[0];
  const at = innermostName(name);
  if (!at) return [];
  const others = given.filter((child) => child.id !== name?.id).map((child) => normalForm(child.text));
  return [
    {
      name: at.text,
      type: [macro, ...others].join(" "),
      isConst: false,
      isPerCpu: typeFirst,
      isScalar: false,
      at,
    },
  ];
}

function isDeclarator({ type }: SyntaxNode): boolean {
  return type === "identifier" || type.endsWith("_declarator");
}
