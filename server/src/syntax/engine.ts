import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Engine, SyntaxTree } from "./tree.js";

/** Longest text that is parsed, in UTF-16 units: three times the kernel's largest header. */
export const MAX_SOURCE_LENGTH = 64 * 1024 * 1024;

let loaded: Promise<Engine> | undefined;

/**
 * The engine of this process: the native build where one loads, else the same grammar as WASM. Loaded once.
 * @throws Fault "lacking" when neither loads
 */
export function loadEngine(): Promise<Engine> {
  loaded ??= loadFirst();
  return loaded;
}

async function loadFirst(): Promise<Engine> {
  try {
    return await loadNativeEngine();
  } catch (native) {
    try {
      return await loadWasmEngine();
    } catch (wasm) {
      throw new Fault("lacking", "the grammar of kernel C does not load", {
        remedy: "run npm install again, with scripts allowed for tree-sitter and tree-sitter-kernel-c",
        detail: `native: ${String(native)}\nWASM: ${String(wasm)}`,
      });
    }
  }
}

/** The native build. @throws whatever keeps it from loading here */
export async function loadNativeEngine(): Promise<Engine> {
  return (await import("./native-engine.js")).createNativeEngine();
}

/** The WASM build. @throws whatever keeps it from loading here */
export async function loadWasmEngine(): Promise<Engine> {
  return (await import("./wasm-engine.js")).createWasmEngine();
}

/**
 * Parses `text`, hands the tree to `use`, and frees it afterwards whatever happens.
 * @returns what `use` returns, which must not be or hold a node
 */
export function withTree<Result>(engine: Engine, text: string, use: (tree: SyntaxTree) => Result): Result {
  const tree = engine.parse(text);
  try {
    return use(tree);
  } finally {
    tree.free();
  }
}

/** @throws Fault "bad-input" for a text longer than `limit` UTF-16 units */
export function refuseTooLong(text: string, limit: number): void {
  if (text.length <= limit) return;
  throw new Fault("bad-input", `the file has ${text.length} characters, more than ${limit}`, {
    remedy: "kernel sources are smaller than that; give a smaller file",
  });
}
