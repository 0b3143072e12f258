import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Builder, BuiltPatch, EvalPatch } from "./built-patch.js";
import type { Case } from "./cases.js";
import type { Pair } from "./pair.js";

export async function* groupWithNeeds(
  _work: Work,
  _pair: Pair,
  _builder: Builder,
  _files: readonly Case[],
): AsyncGenerator<{ patch: EvalPatch; built: BuiltPatch } | { path: string; reason: string }> {}
