import { checkpoint, type Work } from "@kernel-hotpatch/kernel/host/work";
import Type, { type Static } from "typebox";
import { withTree } from "./engine.js";
import { readSource } from "./source-text.js";
import { syntaxErrors } from "./syntax-error.js";
import type { Engine } from "./tree.js";

/** What `hotpatch parse --json` prints. Lines and columns count from 1. */
export const ParseReport = Type.Object({
  schemaVersion: Type.Literal(1),
  files: Type.Integer({ description: "files read" }),
  clean: Type.Integer({ description: "files without an error" }),
  errors: Type.Array(
    Type.Object({
      file: Type.String(),
      line: Type.Integer({ minimum: 1 }),
      column: Type.Integer({ minimum: 1 }),
      kind: Type.Union([Type.Literal("error"), Type.Literal("missing")]),
      text: Type.String({ description: "the first line of what does not fit, or the token that is missing" }),
    }),
  ),
});
export type ParseReport = Static<typeof ParseReport>;

/**
 * Parses files one after another and collects what the grammar could not read.
 * @throws Fault "bad-input" for a file too long, "interrupted"; the system's error for a file that cannot be read
 */
export async function parseFiles(
  engine: Engine,
  paths: readonly string[],
  work: Pick<Work, "signal" | "progress">,
): Promise<ParseReport> {
  const errors: ParseReport["errors"] = [];
  let clean = 0;
  for (const [index, file] of paths.entries()) {
    checkpoint(work);
    work.progress(`parsing ${file}`, index / paths.length);
    const text = await readSource(file);
    const found = withTree(engine, text, (tree) => syntaxErrors(tree, text));
    if (found.length === 0) clean++;
    errors.push(...found.map((error) => ({ file, ...error })));
  }
  return { schemaVersion: 1, files: paths.length, clean, errors };
}
