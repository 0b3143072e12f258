/** A text of at most `limit` UTF-16 units; where something was left out, it ends in `…`. No character is torn. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
