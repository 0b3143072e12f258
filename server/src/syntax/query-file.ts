import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { queriesPath } from "tree-sitter-kernel-c";
import type { Engine, SyntaxQuery } from "./tree.js";

/** The grammar's queries by name; what each captures is said in its file. */
export type QueryName = "highlights" | "locals" | "tags" | "folds" | "injections" | "review";

/** Reads and compiles one of the grammar's queries. The caller frees it. */
export async function loadQuery(engine: Engine, name: QueryName): Promise<SyntaxQuery> {
  return engine.query(await readFile(join(queriesPath, `${name}.scm`), "utf8"));
}
