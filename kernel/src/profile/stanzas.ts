/** One paragraph of a Debian control file: the first line of each field's value, by field name. */
export type Stanza = ReadonlyMap<string, string>;

/**
 * Reads paragraphs as `apt-cache show` prints them (Debian Policy 5.1); folded lines are joined by spaces.
 */
export function parseStanzas(text: string): Stanza[] {
  return text
    .split(/\n(?:[ \t]*\n)+/)
    .map(parseStanza)
    .filter((stanza) => stanza.size > 0);
}

function parseStanza(paragraph: string): Stanza {
  const fields = new Map<string, string>();
  let name = "";
  for (const line of paragraph.split("\n")) {
    const field = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line);
    if (field) {
      name = field[1] ?? "";
      fields.set(name, field[2] ?? "");
    } else if (name !== "" && /^[ \t]/.test(line)) {
      fields.set(name, `${fields.get(name)} ${line.trim()}`);
    }
  }
  return fields;
}

/**
 * Compares versions by Debian Policy 5.6.12, for use with `sort`.
 * @returns negative when `a` is older than `b`
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [splitVersion(a), splitVersion(b)];
  return (
    left.epoch - right.epoch ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

function splitVersion(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(":");
  const rest = version.slice(colon + 1);
  const hyphen = rest.lastIndexOf("-");
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: hyphen < 0 ? rest : rest.slice(0, hyphen),
    revision: hyphen < 0 ? "" : rest.slice(hyphen + 1),
  };
}

/** Alternates between the longest prefix without digits and the longest of digits. */
function compareParts(a: string, b: string): number {
  const parts = (text: string) => text.match(/\D+|\d+/g) ?? [];
  const aligned = (text: string) => (/^\d/.test(text) ? ["", ...parts(text)] : parts(text));
  const [left, right] = [aligned(a), aligned(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [one, other] = [left[at] ?? "", right[at] ?? ""];
    const order = at % 2 === 0 ? compareText(one, other) : Number(one) - Number(other);
    if (order !== 0) return order;
  }
  return 0;
}

function compareText(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const order = weight(a[at]) - weight(b[at]);
    if (order !== 0) return order;
  }
  return 0;
}

/** `~` sorts before the end of the text, letters before everything else. */
function weight(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === "~") return -1;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}
