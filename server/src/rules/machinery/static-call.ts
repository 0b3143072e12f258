import { type Call, callsOf, callsWithout } from "../../change/calls.js";
import { changesOf, placeOfNode } from "../../change/sides.js";
import type { Fix, Inspection, SourceFinding, SourceRule } from "../inspection.js";
import { type Owner, ownerOf } from "./owner-of-key.js";

/** @see docs/rules/static-call.md */
export const staticCall: SourceRule = {
  id: "static-call",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "a static call is defined or removed, or carried code uses one that a livepatch cannot wire",
  why: "Call sites and trampolines are patched when a module loads, before the livepatch relocations of a key in another module are resolved.",
  remedy: "Call through the key's function pointer instead (static_call_query).",
  sources: ["include/linux/static_call.h", "kernel/static_call_inline.c, static_call_add_module"],
  *check(inspection) {
    const { file, facts } = inspection;
    const { config } = facts.tree;
    // Elsewhere a static call is a call through a pointer (include/linux/static_call.h).
    if (config && config.value("CONFIG_HAVE_STATIC_CALL") === undefined) return;
    for (const { before, after, place, name } of changesOf(file, "data")) {
      const item = after ?? before;
      if (!item?.macro?.startsWith("DEFINE_STATIC_CALL") || item.kept === "no") continue;
      yield {
        at: place,
        symbol: name,
        message: !before
          ? `the static call '${name}' is new; its trampoline cannot be carried`
          : `the definition of the static call '${name}' ${after ? "changed" : "is removed"}; the running kernel keeps its trampoline`,
        remedy: "Use a plain function pointer.",
      };
    }
    for (const { before, after, name } of changesOf(file, "function")) {
      if (!after || after.kept === "no" || !/\bstatic_call(?:_\w+)? \(/.test(after.body)) continue;
      const calls = callsOf(file.after, after);
      const told = new Set<string>();
      for (const call of calls) {
        const key = call.arguments[0]?.text;
        if (key === undefined || told.has(key) || !/^static_call(?:_cond|_mod)?$/.test(call.name)) continue;
        const judged = judge(ownerOf(inspection, key, `__SCK__${key}`), key);
        if (!judged) continue;
        told.add(key);
        const all = calls.filter((other) => other.name === call.name && other.arguments[0]?.text === key);
        yield {
          at: placeOfNode(file, call.at),
          symbol: name,
          ...judged,
          message: `'${name}' ${judged.message}`,
          ...(call.name === "static_call_cond" ? {} : { fixes: [throughPointer(inspection, key, all)] }),
        };
      }
      for (const call of callsWithout(calls, callsOf(file.before, before))) {
        if (call.name !== "static_call_update") continue;
        const [key, target] = call.arguments.map(({ text }) => text.replace(/^&/, ""));
        const carried = inspection.changes.changes.some(
          (other) => other.name === target && other.after?.kind === "function",
        );
        if (!carried) continue;
        yield {
          at: placeOfNode(file, call.at),
          symbol: name,
          severity: "needs-review",
          message: `'${name}' points the static call '${key ?? ""}' at '${target ?? ""}' of this patch, where it stays when the patch goes`,
          why: "The kernel would keep calling into the patch module after it is gone.",
          remedy: "Point it back in a post-unpatch callback, or never unload the patch.",
        };
      }
    }
  },
};

function judge(
  owner: Owner,
  key: string,
): Pick<SourceFinding, "message" | "severity" | "why" | "remedy"> | undefined {
  if (owner === "patch" || owner === "vmlinux") return undefined;
  if (owner === "unknown")
    return {
      severity: "needs-review",
      message: `makes the static call '${key}'; whether that belongs to a module is not known`,
    };
  // As the module's builder does it: kernel/src/module/livepatch/relocations.ts.
  return {
    severity: "info",
    message: `makes the static call '${key}' of the module ${owner.module}, which then goes through its trampoline`,
    why: "The call site cannot be registered for a module that may be loaded later; the trampoline always leads to the right function.",
    remedy:
      "Nothing to do with 'hotpatch build'; for other builders, call through the key's function pointer.",
  };
}

function throughPointer({ file }: Inspection, key: string, calls: readonly Call[]): Fix {
  return {
    title: `Call '${key}' through its pointer`,
    edits: calls.map((call) => ({
      ...placeOfNode(file, call.node),
      text: `((typeof(STATIC_CALL_TRAMP(${key})) *)static_call_query(${key}))`,
    })),
  };
}
