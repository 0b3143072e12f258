import { loadNativeEngine, loadWasmEngine } from "./engine.js";
import type { Engine } from "./tree.js";

/** The native engine where one was compiled; undefined on a machine that cannot. */
export const nativeEngine: Engine | undefined = await loadNativeEngine().catch(() => undefined);

/** Every engine that runs here, by kind: what is true of one must be true of all. */
export const engines = [nativeEngine, await loadWasmEngine()]
  .filter((engine) => engine !== undefined)
  .map((engine) => [engine.kind, engine] as const);
