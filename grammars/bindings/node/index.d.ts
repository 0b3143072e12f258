/** A grammar as `tree-sitter`'s `Parser.setLanguage` takes it. */
export interface NativeLanguage {
  name: string;
  language: unknown;
  nodeTypeInfo: unknown[];
}
export function loadLanguage(): NativeLanguage;
export const wasmPath: string;
export const queriesPath: string;
