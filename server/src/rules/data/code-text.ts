/**
 * Code in normal form as people write it, for a message.
 * @param longest what is longer ends in dots
 */
export function codeText(normal: string, longest = 60): string {
  const text = normal
    .replace(/ ?\[ ?/g, "[")
    .replace(/ (?=[\],;)])/g, "")
    .replace(/\( /g, "(")
    .replace(/\) \(/g, ")(")
    .replace(/(\w) \((?!\*)/g, "$1(")
    .replace(/ ?(->|:) ?/g, "$1")
    .replace(/(^|[\s({,])([.&]) (?=\w)/g, "$1$2")
    .replace(/(^|[({,] ?)- (?=\w)/g, "$1-")
    .replace(/\* (?=[*a-z_)])/g, "*");
  return text.length > longest ? `${text.slice(0, longest - 3)}...` : text;
}
