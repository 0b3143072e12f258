import type { TreeState } from "@kernel-hotpatch/server/lsp/tree-state";
import type { Place } from "./patch-tree";

/** A box of the picture. */
interface Box {
  readonly id: string;
  readonly column: number;
  readonly label: string;
  readonly note: string;
  /** Decides its colour, together with words: colour alone says nothing. */
  readonly look: "safe" | "needs-review" | "unsafe" | "plain";
  readonly place?: Place;
}

interface Graph {
  readonly boxes: readonly Box[];
  readonly edges: readonly (readonly [from: string, to: string])[];
}

const COLUMNS = ["The source changes", "The objects show", "patch.ko redirects"];
const WIDTH = 250;
const HEIGHT = 44;
const GAP = 12;
const BETWEEN = 90;
const MARGIN = 16;
const TOP = 44;
/** Characters that a box has room for. */
const LONGEST = 31;
/** Boxes of one column; the rest is counted. */
const MOST = 40;

/**
 * Draws a change: what the source changes, what of that the compiler made part of which functions, and what the hot patch
 * carries.
 * @returns an `<svg>` element that is styled by classes; places stand in `data-file`, `data-line` and `data-column`
 */
export function pictureOf(state: TreeState): string {
  const graph = graphOf(state);
  const placed = COLUMNS.flatMap((_, column) => placeColumn(graph.boxes, column));
  const at = new Map(placed.map((one) => [one.box.id, one]));
  const rows = Math.max(1, ...placed.map(({ row }) => row + 1));
  const width = MARGIN * 2 + COLUMNS.length * WIDTH + (COLUMNS.length - 1) * BETWEEN;
  const height = TOP + rows * (HEIGHT + GAP) + MARGIN;
  const edges = graph.edges.flatMap(([from, to]) => {
    const [start, end] = [at.get(from), at.get(to)];
    return start && end ? [curve(start, end)] : [];
  });
  const leadsTo = (id: string) =>
    graph.edges.flatMap(([from, to]) => (from === id ? (at.get(to)?.box.label ?? []) : []));
  return [
    `<svg class="picture" role="group" aria-label="${escapeText(titleOf(state))}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" xmlns="http://www.w3.org/2000/svg">`,
    ...COLUMNS.map(
      (title, column) =>
        `<text class="heading" x="${left(column)}" y="${TOP - 18}">${escapeText(title)}</text>`,
    ),
    `<g class="edges" aria-hidden="true">${edges.join("")}</g>`,
    ...placed.map((one) => drawBox(one, leadsTo(one.box.id))),
    ...emptyColumns(state, placed),
    "</svg>",
  ].join("\n");
}

/** What the picture shows, in one sentence. */
export function titleOf({ files, verdict, kernel }: TreeState): string {
  const many = `${files.length} ${files.length === 1 ? "file" : "files"}`;
  const target = kernel ? ` for ${kernel.id}` : "";
  return verdict === null ? "Nothing differs" : `Hot patch of ${many}${target}: ${verdict}`;
}

function graphOf({ files, review }: TreeState): Graph {
  const boxes: Box[] = [];
  const edges: [string, string][] = [];
  const functions = new Set(files.flatMap((file) => file.functions.map(({ name }) => name)));
  for (const { path, functions: changed } of files)
    for (const { name, line, verdict, object } of changed)
      boxes.push({
        id: `source ${path} ${name}`,
        column: 0,
        label: name,
        note: `function · ${verdict}${object === "unchanged" ? " · same code" : ""}`,
        look: verdict,
        place: { file: path, line, column: 1 },
      });
  for (const { path, findings } of files)
    for (const { witness, symbol, rule, severity, line, column, suppressed } of findings) {
      const id = `touched ${path} ${symbol}`;
      // What only the objects or the sandbox show is no change of the source.
      if (witness !== "source") continue;
      if (symbol === undefined || functions.has(symbol) || boxes.some((box) => box.id === id)) continue;
      const place = { file: path, line: line ?? 1, column: column ?? 1 };
      const look = suppressed || severity === "info" ? "plain" : severity;
      boxes.push({ id, column: 0, label: symbol, note: rule, look, place });
    }
  for (const { orig, outcome, changed, new: added } of review?.objects ?? [])
    for (const [names, what] of [
      [changed, "changed"],
      [added, "new"],
    ] as const)
      for (const name of names) {
        const id = `object ${sourceName(name)}`;
        const look = outcome === "refused" ? "unsafe" : "plain";
        if (!boxes.some((box) => box.id === id))
          boxes.push({
            id,
            column: 1,
            label: name,
            note: `${what} in ${orig}${outcome === "refused" ? " · refused" : ""}`,
            look,
          });
      }
  for (const { path, functions: changed } of files)
    for (const { name, inlinedInto } of changed)
      for (const target of [name, ...inlinedInto]) edges.push([`source ${path} ${name}`, `object ${target}`]);
  for (const { object, name } of review?.module?.functions ?? []) {
    const id = `module ${object} ${name}`;
    boxes.push({ id, column: 2, label: name, note: `in ${object}`, look: "safe" });
    edges.push([`object ${sourceName(name)}`, id]);
  }
  for (const { object, kind, name } of review?.module?.callbacks ?? []) {
    const id = `callback ${object} ${kind} ${name}`;
    boxes.push({ id, column: 2, label: name, note: `${kind} callback of ${object}`, look: "plain" });
    edges.push([`object ${sourceName(name)}`, id]);
  }
  return { boxes, edges };
}

/** `foo` of `foo.isra.0`, as the compiler names what it makes of a function. */
function sourceName(symbol: string): string {
  return symbol.replace(/\..*$/, "");
}

interface Placed {
  readonly box: Box;
  readonly row: number;
}

function placeColumn(boxes: readonly Box[], column: number): Placed[] {
  const own = boxes.filter((box) => box.column === column);
  const shown = own.length > MOST ? own.slice(0, MOST - 1) : own;
  const left = own.length - shown.length;
  const more: Box = {
    id: `more ${column}`,
    column,
    label: `… and ${left} more`,
    note: "in the view",
    look: "plain",
  };
  return [...shown, ...(left > 0 ? [more] : [])].map((box, row) => ({ box, row }));
}

function left(column: number): number {
  return MARGIN + column * (WIDTH + BETWEEN);
}

function top(row: number): number {
  return TOP + row * (HEIGHT + GAP);
}

function curve(from: Placed, to: Placed): string {
  const [x1, y1] = [left(from.box.column) + WIDTH, top(from.row) + HEIGHT / 2];
  const [x2, y2] = [left(to.box.column), top(to.row) + HEIGHT / 2];
  const bend = BETWEEN / 2;
  return `<path d="M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}"/>`;
}

function drawBox({ box, row }: Placed, leadsTo: readonly string[]): string {
  const { label, note, look, place, column } = box;
  const where = place ? `, ${place.file} line ${place.line}` : "";
  const on = leadsTo.length > 0 ? `; leads to ${leadsTo.join(", ")}` : "";
  const spoken = escapeText(`${label}: ${note}${where}${on}`);
  const data = place
    ? ` role="link" data-file="${escapeText(place.file)}" data-line="${place.line}" data-column="${place.column}"`
    : ' role="img"';
  const [x, y] = [left(column), top(row)];
  return [
    `<g class="box ${look}" tabindex="0"${data} aria-label="${spoken}">`,
    `<title>${spoken}</title>`,
    `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="4"/>`,
    `<rect class="edge" x="${x}" y="${y}" width="4" height="${HEIGHT}" rx="2"/>`,
    `<text class="label" x="${x + 14}" y="${y + 18}">${escapeText(shorten(label))}</text>`,
    `<text class="note" x="${x + 14}" y="${y + 35}">${escapeText(shorten(note))}</text>`,
    "</g>",
  ].join("");
}

function emptyColumns({ review }: TreeState, placed: readonly Placed[]): string[] {
  const words = [
    "Nothing differs.",
    review ? "No code differs." : "The objects were not asked.",
    review ? "There is no module." : "",
  ];
  return words.flatMap((text, column) =>
    text === "" || placed.some(({ box }) => box.column === column)
      ? []
      : [`<text class="note" x="${left(column)}" y="${TOP + 18}">${text}</text>`],
  );
}

function shorten(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}

/** Text for an element or a quoted attribute. */
export function escapeText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
