import { cut } from "./cut.js";
import { printableLine } from "./printable.js";

/** No real one is longer (RFC 5322, 2.1.1: 998); a longer one is no use to anybody who reads it. */
const LONGEST_SUBJECT = 300;
const LONGEST_ID = 250;
const MOST_REFERENCES = 20;

/**
 * The headers of a plain-text reply to a mail (RFC 5322, 3.6.4): `Subject`, and, when the mail has a `Message-ID`,
 * `In-Reply-To` and `References`. No address and nothing else is taken over from it.
 * @param mail one that `git format-patch` wrote or a list archive keeps, or a bare diff
 * @returns lines, each with its newline
 */
export function replyHeaders(mail: string): string {
  const headers = headersOf(mail);
  const [id] = messageIds(headers.get("message-id"));
  const earlier = messageIds(headers.get("references") ?? headers.get("in-reply-to"));
  const thread = [...new Set([...earlier, ...(id === undefined ? [] : [id])])].slice(-MOST_REFERENCES);
  const subject = printableLine(headers.get("subject") ?? "your patch").replace(/^(?:\s*re:)+/i, "");
  const lines = [
    `Subject: ${foldedSubject(`Re: ${cut(subject.trim(), LONGEST_SUBJECT)}`)}`,
    ...(id === undefined ? [] : [`In-Reply-To: ${id}`, `References: ${thread.join("\n ")}`]),
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** The first field of each name, unfolded; none when the text does not begin as a mail does. */
function headersOf(mail: string): Map<string, string> {
  const lines = mail.replace(/^From [^\n]*\n/, "").split(/\r?\n/);
  const end = lines.indexOf("");
  const fields: string[] = [];
  for (const line of lines.slice(0, end === -1 ? 0 : end)) {
    if (/^[ \t]/.test(line) && fields.length > 0) fields.push(`${fields.pop()} ${line.trim()}`);
    else fields.push(line);
  }
  const headers = new Map<string, string>();
  for (const field of fields) {
    const [, name, value] = /^([!-9;-~]+):[ \t]*(.*)$/s.exec(field) ?? [];
    if (name === undefined || value === undefined) return new Map();
    if (!headers.has(name.toLowerCase())) headers.set(name.toLowerCase(), value);
  }
  return headers;
}

/** RFC 5322, 3.6.4, without the quoting and folding inside of it that nobody uses. */
function messageIds(written = ""): string[] {
  return [...written.matchAll(/<[!#-;=?-~]+@[!#-;=?-~]+>/g)]
    .map(([id]) => id)
    .filter((id) => id.length <= LONGEST_ID);
}

const WIDTH = 76;

/** What is ASCII stays, also what is encoded already; all else becomes encoded words (RFC 2047, section 2). */
function foldedSubject(text: string): string {
  if (/^[ -~]*$/.test(text)) return folded(text.split(/ +/));
  const words: string[] = [];
  let piece = "";
  for (const character of text) {
    if (Buffer.byteLength(piece + character) > 45) {
      words.push(piece);
      piece = "";
    }
    piece += character;
  }
  return folded([...words, piece].map((word) => `=?UTF-8?B?${Buffer.from(word).toString("base64")}?=`));
}

function folded(words: readonly string[]): string {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= WIDTH || line.trim() === "") line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line].map((part) => part.trimEnd()).join("\n ");
}
