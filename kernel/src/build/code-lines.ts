/** A comment, or a literal, in which nothing is one. */
const COMMENT_OR_LITERAL = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;

/** Lines of C as the preprocessor takes them: those that are continued joined, comments blank. */
export function codeLines(source: string): string[] {
  return withoutComments(source.replaceAll("\\\n", ""), () => " ").split("\n");
}

/** @param blank what to put in the place of a comment */
export function withoutComments(source: string, blank: (comment: string) => string): string {
  return source.replace(COMMENT_OR_LITERAL, (match) => (match.startsWith("/") ? blank(match) : match));
}
