import { descendants } from "../../change/calls.js";
import type { ChangedFile, ChangeSet } from "../../change/change-set.js";
import { layoutOf, sizeOfType } from "../../change/layout.js";
import { changesOf, placeOfNode } from "../../change/sides.js";
import { mentions } from "../../change/tokens.js";
import type { SyntaxNode } from "../../syntax/tree.js";
import type { Edit, Fix, Inspection } from "../inspection.js";
import { hotpatchInclude } from "./include-edit.js";
import type { LayoutChange } from "./layout-change.js";

/**
 * Takes a new member out of its type again and keeps it in a shadow variable, read and set by two functions in the one `.c`
 * file that uses it. There is none where several files may use it, or where it is used in a way that functions cannot stand
 * for (its address is taken, it is no number or pointer).
 */
export function shadowVariableFix(change: LayoutChange, { file, changes }: Inspection): Fix | undefined {
  const [member = ""] = change.added;
  const tag = /^struct (\w+)$/.exec(change.name)?.[1];
  const type = layoutOf(change.item).members.get(member)?.type;
  const declared = change.item.members.find(({ name }) => name === member);
  if (!tag || !declared || !type || !isScalar(type) || !file.after) return undefined;
  const own = file.after.lines.line(declared.line);
  // Alone in its line, so that the line can go.
  if (!new RegExp(`^\\s*[^,;]*\\b${member}\\s*;\\s*(?:/\\*.*\\*/\\s*)?$`).test(own)) return undefined;

  if (changes.files.length > MOST_FILES) return undefined;
  const user = onlyUser(member, changes.files);
  if (!user?.after) return undefined;
  const functions = `${tag}_${member}`;
  // On a stack, or as a global variable, nobody frees it: the next object there would find the old one's shadow.
  if (new RegExp(`^[\\w\\s]*\\bstruct\\s+${tag}\\s+\\w+\\s*[=;,[]`, "m").test(user.after.text))
    return undefined;
  const gainsToo = ({ after, before }: ChangeSet["changes"][number]) =>
    after?.kind === "type" &&
    after.name !== change.name &&
    before !== undefined &&
    after.members.some(({ name }) => name === member);
  if (changes.changes.some(gainsToo) || user.after.text.includes(functions)) return undefined;
  const uses = accessEdits(user, member, functions);
  const first = changesOf(user, "function")
    .flatMap(({ after }) => (after && mentions(after.body, member) ? [after.start] : []))
    .toSorted((a, b) => a - b)[0];
  if (!uses || first === undefined) return undefined;
  const gone = {
    file: file.path,
    line: declared.line,
    column: 1,
    endLine: declared.line + 1,
    endColumn: 1,
    text: "",
  };
  const accessors = {
    ...user.after.lines.place(user.path, first, first),
    text: accessorText(tag, member, type, functions),
  };
  return {
    title: `Keep '${member}' in a shadow variable`,
    edits: [gone, ...hotpatchInclude(user.after), accessors, ...uses],
  };
}

function isScalar(type: string): boolean {
  return (
    !/[[({:]/.test(type) &&
    (type.endsWith("*") ||
      (sizeOfType(type) !== undefined && !type.startsWith("struct ") && !/^(?:atomic|refcount)/.test(type)))
  );
}

/** Nobody has a machine rewrite a whole release, and each of its files would be searched for each member. */
const MOST_FILES = 100;

/** The one `.c` file of the patch in which the member's name is new; none when it was in use for something else before. */
function onlyUser(member: string, files: readonly ChangedFile[]): ChangedFile | undefined {
  const access = new RegExp(`(?:->|\\.)\\s*${member}\\b`);
  const users = files.filter(({ after }) => after?.text.includes(member) && access.test(after.text));
  if (users.some(({ before }) => before && access.test(before.text))) return undefined;
  const [user, second] = users;
  return second || !user?.path.endsWith(".c") ? undefined : user;
}

/** Every access of the member through its functions; undefined when one cannot be written so. */
function accessEdits(file: ChangedFile, member: string, functions: string): Edit[] | undefined {
  const edits: Edit[] = [];
  for (const { after } of changesOf(file, "function")) {
    if (!after || !file.after || !mentions(after.body, member)) continue;
    for (const node of descendants(file.after.syntax(after))) {
      if (node.type !== "field_expression" || node.childForFieldName("field")?.text !== member) continue;
      const text = accessText(node, member, functions);
      if (!text) return undefined;
      edits.push({ ...placeOfNode(file, text.node), text: text.text });
    }
  }
  return edits.length > 0 ? edits : undefined;
}

function accessText(
  access: SyntaxNode,
  member: string,
  functions: string,
): { node: SyntaxNode; text: string } | undefined {
  const object = access.childForFieldName("argument");
  if (!object) return undefined;
  const isPointer = access.children.some((child) => child.type === "->");
  const given = isPointer ? object.text : `&${object.text}`;
  const read = `${functions}(${given})`;
  const { parent } = access;
  const isStatement = parent?.parent?.type === "expression_statement";
  if (parent?.type === "assignment_expression" && parent.childForFieldName("left")?.id === access.id) {
    const value = parent.childForFieldName("right");
    const operator = parent.children.find(({ type }) => type.endsWith("="))?.type ?? "";
    if (!isStatement || !value || new RegExp(`(?:->|\\.)\\s*${member}\\b`).test(value.text)) return undefined;
    const result = operator === "=" ? value.text : `${read} ${operator.slice(0, -1)} (${value.text})`;
    return { node: parent, text: `${functions}_set(${given}, ${result})` };
  }
  if (parent?.type === "update_expression")
    return isStatement
      ? {
          node: parent,
          text: `${functions}_set(${given}, ${read} ${parent.text.includes("++") ? "+" : "-"} 1)`,
        }
      : undefined;
  if (parent?.type === "pointer_expression" && parent.text.startsWith("&")) return undefined;
  if (
    parent?.type === "field_expression" &&
    parent.childForFieldName("argument")?.id === access.id &&
    /[[(]/.test(access.text)
  )
    return undefined;
  return { node: access, text: read };
}

/** @see Documentation/livepatch/shadow-vars.rst, section 2.1 */
function accessorText(tag: string, member: string, type: string, functions: string): string {
  const id = functions.toUpperCase();
  const pointer = type.endsWith("*")
    ? `${type.replace(/ \*/g, "*").replace(/\*+$/, (stars) => ` ${stars}`)}`
    : `${type} `;
  const none = type.endsWith("*") ? "NULL" : type === "bool" ? "false" : "0";
  return `/* Names the shadow variable: no other patch may use this number for another one. */
#define ${id} ${numberOf(functions)}UL

/* '${member}' of an object; ${none} for one that it was never set for. */
static ${pointer}${functions}(struct ${tag} *object)
{
	${pointer}*shadow = klp_shadow_get(object, ${id});

	return shadow ? *shadow : ${none};
}

/* Whoever frees the object has to call klp_shadow_free(object, ${id}, NULL). */
static void ${functions}_set(struct ${tag} *object, ${pointer}value)
{
	${pointer}*shadow = klp_shadow_get_or_alloc(object, ${id},
						sizeof(*shadow), GFP_ATOMIC,
						NULL, NULL);

	if (shadow)
		*shadow = value;
}

/* What is left when the patch goes. */
static void ${functions}_post_unpatch(struct klp_object *obj)
{
	klp_shadow_free_all(${id}, NULL);
}
HOTPATCH_POST_UNPATCH_CALLBACK(${functions}_post_unpatch);

`;
}

/** A number that goes with a name: FNV-1a, 32 bits. */
function numberOf(name: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return `0x${hash.toString(16).padStart(8, "0")}`;
}
