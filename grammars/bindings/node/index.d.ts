import type Parser from "tree-sitter";

/** The language object that `tree-sitter`'s `Parser.setLanguage` takes. @throws Error where no native build is present */
export function loadLanguage(): Parser.Language;
/** The same grammar for `web-tree-sitter`. */
export const wasmPath: string;
/** Folder of the queries. */
export const queriesPath: string;
