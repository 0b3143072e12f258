import { type Call, callsOf, callsWithout } from "../../change/calls.js";
import type { ChangedFile, ItemChange } from "../../change/change-set.js";
import { isDeviceTable } from "../../change/device-table.js";
import { purposeOfMacro } from "../../change/file-scope-macros.js";
import type { CallItem, FunctionItem } from "../../change/item.js";
import { usesByTokens } from "../../change/outline.js";
import { changesOf, placeOfNode } from "../../change/sides.js";
import { INITCALL, initAnnotation } from "../functions/annotations.js";
import type { Inspection, SourceFinding, SourceRule } from "../inspection.js";
import { listed } from "../listed.js";

/** @see docs/rules/module-interface.md */
export const moduleInterface: SourceRule = {
  id: "module-interface",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "a module parameter, device table, initcall, registration or module information changed",
  why: "It was read once, when the module was loaded or the kernel booted.",
  remedy: "Register what is needed by hand, from a callback.",
  sources: ["include/linux/module.h", "include/linux/moduleparam.h", "Documentation/livepatch/callbacks.rst"],
  *check(inspection) {
    const { file } = inspection;
    yield* macros(file);
    yield* deviceTables(file);
    yield* registrations(inspection);
  },
};

function* macros(file: ChangedFile): Generator<SourceFinding> {
  const texts = new Map<string, ItemChange<CallItem>>();
  for (const change of changesOf(file, "call")) {
    const { before, after, place } = change;
    const item = after ?? before;
    if (!item || item.kept === "no") continue;
    const purpose = purposeOfMacro(item.macro);
    // An import of a namespace goes with what is used: see symbol-namespace. A text that differs is one gone and one come.
    if (purpose === "module-text" && item.macro !== "MODULE_IMPORT_NS" && !texts.get(item.macro)?.after)
      texts.set(item.macro, change);
    if (purpose !== "module") continue;
    yield {
      at: place,
      symbol: item.macro,
      message: `${shown(item)} ${!before ? "is new" : !after ? "is removed" : "changed"}; the running kernel acted on it once, at boot or when the module was loaded`,
    };
  }
  for (const [macro, { before, after, place }] of texts) {
    const item = after ?? before;
    if (!item) continue;
    yield {
      at: place,
      symbol: macro,
      severity: "needs-review",
      message: `${shown(item)} is ${after ? "new or changed" : "removed"}; the running kernel keeps what the module said`,
      why: "Information about a module is read from its file, when it is loaded.",
      remedy: "Leave it out of the hot patch.",
    };
  }
}

function shown({ macro, arguments: [first = ""] }: CallItem): string {
  return `${macro}(${first})`;
}

function* deviceTables(file: ChangedFile): Generator<SourceFinding> {
  for (const { before, after, name, place } of changesOf(file, "data")) {
    if (!before || !after || after.kept === "no" || !isDeviceTable(after)) continue;
    if (before.initial === after.initial) continue;
    const more = after.elements.length - before.elements.length;
    yield {
      at: place,
      symbol: name,
      message: `the device table '${name}' ${more > 0 ? `gains ${more} of ${after.elements.length} entries` : more < 0 ? `loses ${-more} entries` : "changed"}; devices were matched with the old one`,
      why: "The bus matches devices with the table that the driver registered, and user space loads modules by a copy that was made at build time.",
      remedy:
        "For a new device, bind it at run time where the bus can: write its identifiers to the driver's new_id in sysfs.",
    };
  }
}

/** Calls of functions that ran once, which register or create something, and which only one side makes. */
function* registrations(inspection: Inspection): Generator<SourceFinding> {
  const { file } = inspection;
  for (const { before, after, name, place } of changesOf(file, "function")) {
    if (!before || !after || after.kept === "no" || !ranOnce(inspection, after)) continue;
    const old = callsOf(file.before, before).filter(isRegistration);
    const now = callsOf(file.after, after).filter(isRegistration);
    const added = callsWithout(now, old);
    const removed = callsWithout(old, now);
    const [first] = added;
    const gone = removed[0];
    if (!first && !gone) continue;
    const names = listed([...new Set([...added, ...removed].map((call) => `${call.name}()`))]);
    yield {
      at: first ? placeOfNode(file, first.at) : place,
      symbol: name,
      message: `'${name}' ${first ? (gone ? "now calls in another way" : "newly calls") : "no longer calls"} ${names}, but ran once, at boot or when the module was loaded`,
      why: "What it registered then is what the running kernel has.",
      remedy: first
        ? "Register it by hand from a post-patch callback, and take it back in a pre-unpatch callback."
        : "Unregister it by hand from a post-patch callback.",
    };
  }
}

function isRegistration({ name }: Call): boolean {
  return /(?:^|_)(?:register|create|mkdir)(?:_|$)|^(?:cdev|device)_add$/.test(name);
}

/** Initialisation: marked so, or what an initcall names. */
function ranOnce({ file, facts }: Inspection, { name, annotations }: FunctionItem): boolean {
  if (initAnnotation(annotations, facts.tree.config)?.fate === "freed") return true;
  const uses = file.after ? usesByTokens(file.after, name) : [];
  return uses.some(
    ({ within, argumentOf }) => within === undefined && argumentOf !== undefined && INITCALL.test(argumentOf),
  );
}
