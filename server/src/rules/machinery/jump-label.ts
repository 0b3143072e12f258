import { type Call, callsOf, descendants } from "../../change/calls.js";
import type { ChangedFile } from "../../change/change-set.js";
import { changesOf, placeOfNode } from "../../change/sides.js";
import type { Fix, SourceFinding, SourceRule } from "../inspection.js";
import { type Owner, ownerOf } from "./owner-of-key.js";

/** @see docs/rules/jump-label.md */
export const jumpLabel: SourceRule = {
  id: "jump-label",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "carried code tests a static key that cannot be used from a livepatch",
  why: "The branch is patched when the module loads, before the livepatch relocations of a key in another module are resolved.",
  remedy: "Test it with static_key_enabled(), which reads the key at run time.",
  sources: ["kpatch patch author guide, Jump labels", "kernel/jump_label.c, jump_label_add_module"],
  *check(inspection) {
    const { file, facts } = inspection;
    const { config, version } = facts.tree;
    // Without jump labels a static key is a plain variable (include/linux/jump_label.h).
    if (config && config.value("CONFIG_JUMP_LABEL") === undefined) return;
    const [major, minor] = version;
    const isLate = major < 5 || (major === 5 && minor < 8);
    for (const { after, name } of changesOf(file, "function")) {
      if (!after || after.kept === "no" || !/\bstatic_(?:branch|key)_/.test(after.body)) continue;
      const calls = callsOf(file.after, after);
      const told = new Set<string>();
      for (const call of calls) {
        const key = keyOf(call);
        if (key === undefined || told.has(key)) continue;
        const owner = ownerOf(inspection, key);
        const judged = judge(owner, key, file.path, isLate);
        if (!judged) continue;
        told.add(key);
        const all = calls.filter((other) => keyOf(other) === key);
        yield {
          at: placeOfNode(file, call.at),
          symbol: name,
          ...judged,
          message: `'${name}' ${judged.message}`,
          fixes: [readAtRunTime(file, key, all)],
        };
      }
    }
  },
};

/** By name, what is expected of the key (include/linux/jump_label.h). */
const TESTS: Readonly<Record<string, "likely" | "unlikely" | "">> = {
  static_branch_likely: "likely",
  static_branch_unlikely: "unlikely",
  static_branch_maybe: "",
  static_key_true: "likely",
  static_key_false: "unlikely",
};

/** The variable that a branch on a static key tests. */
function keyOf({ name, arguments: given }: Call): string | undefined {
  const key = TESTS[name] === undefined ? undefined : given.at(-1);
  if (!key) return undefined;
  for (const node of descendants(key)) if (node.type === "identifier") return node.text;
  return undefined;
}

function judge(
  owner: Owner,
  key: string,
  path: string,
  isLate: boolean,
): Pick<SourceFinding, "message" | "severity" | "why"> | undefined {
  if (owner === "patch") return undefined;
  if (owner === "unknown")
    return {
      severity: "needs-review",
      message: `branches on the static key '${key}'; whether that belongs to a module, from where it cannot be used, is not known`,
      why: `It cannot be told from here what ${path} and the key are linked into.`,
    };
  if (owner !== "vmlinux")
    return { message: `branches on the static key '${key}' of the module ${owner.module}` };
  return isLate
    ? {
        message: `branches on the static key '${key}'; kernels before 5.8 patch such a branch before livepatch has resolved the key`,
      }
    : undefined;
}

function readAtRunTime(file: ChangedFile, key: string, calls: readonly Call[]): Fix {
  return {
    title: `Read '${key}' at run time`,
    edits: calls.map((call) => {
      const read = `static_key_enabled(${call.arguments.at(-1)?.text ?? ""})`;
      const hint = TESTS[call.name] ?? "";
      return { ...placeOfNode(file, call.node), text: hint === "" ? read : `${hint}(${read})` };
    }),
  };
}
