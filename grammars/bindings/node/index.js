import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);
const candidates = [
  new URL(`prebuilds/${process.platform}-${process.arch}/tree_sitter_kernel_c.node`, root),
  new URL("build/Release/tree_sitter_kernel_c.node", root),
];

/** The language object `tree-sitter`'s `Parser.setLanguage` takes. Throws where no native build is present. */
export function loadLanguage() {
  const found = candidates.find((url) => existsSync(url));
  if (!found)
    throw new Error(`no native build of tree-sitter-kernel-c for ${process.platform}-${process.arch}`);
  const binding = createRequire(import.meta.url)(fileURLToPath(found));
  binding.nodeTypeInfo ??= JSON.parse(readFileSync(new URL("src/node-types.json", root), "utf8"));
  return binding;
}

/** The same grammar for `web-tree-sitter`. */
export const wasmPath = fileURLToPath(new URL("tree-sitter-kernel_c.wasm", root));

/** Folder of the queries: highlights.scm, locals.scm, tags.scm, folds.scm, injections.scm, review.scm. */
export const queriesPath = fileURLToPath(new URL("queries/", root));
