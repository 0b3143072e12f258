import type { SourceFile } from "../../change/item.js";
import { headingAt } from "../../change/outline.js";
import { changesOf } from "../../change/sides.js";
import type { Use } from "../../tree/tree-facts.js";
import type { SourceRule } from "../inspection.js";
import { shownUses } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";
import { onlyUsedBy } from "./only-used-by.js";

/** @see docs/rules/probe-path.md */
export const probePath: SourceRule = {
  id: "probe-path",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "the changed code runs only when a device is probed, a file system mounted or a namespace made",
  why: "What is set up already keeps what the old code made of it; only what comes later gets the new code.",
  remedy:
    "Walk the live objects in a post-patch callback and bring them up to date, or bind or mount them anew.",
  sources: [
    "Documentation/livepatch/callbacks.rst, 4. Use cases",
    "Documentation/driver-api/driver-model/driver.rst",
  ],
  *check({ file, facts }) {
    const { after: source } = file;
    if (!source) return;
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || change.after.kept === "no") continue;
      const { name, place, after } = change;
      const what = new Set<string>();
      const isSetUp = (use: Use) => {
        const found = setUpBy(use, source);
        if (found !== undefined) what.add(found);
        return found !== undefined;
      };
      const uses = onlyUsedBy(facts, source, name, isSetUp);
      const [thing] = what;
      if (uses && thing !== undefined)
        yield {
          at: place,
          symbol: name,
          message: `'${name}' runs only while ${thing} is set up: those that are keep what the old code made of them`,
          related: shownUses(uses, name),
        };
      else if (
        after.annotations.includes("__net_init") &&
        facts.tree.config?.value("CONFIG_NET_NS") !== undefined
      )
        yield {
          at: place,
          symbol: name,
          message: `'${name}' is __net_init and runs only while a network namespace is set up: those that are keep what the old code made of them`,
        };
    }
  },
};

/** Members that are called once for each new object, and what that is (the structures' definitions in include/linux). */
const MEMBERS = new Map([
  ["probe", "a device"],
  ["probe_new", "a device"],
  ["ndo_init", "a network device"],
  ["fill_super", "a file system"],
  ["mount", "a file system"],
  ["init_fs_context", "a file system"],
]);

/** Members whose meaning depends on the table they stand in: `.connect` of a `proto_ops` is a system call. */
const MEMBERS_OF = new Map([
  ["input_handler connect", "an input device"],
  ["serio_driver connect", "a serial device"],
  ["gameport_driver connect", "a game port"],
  ["component_ops bind", "a device"],
  ["usb_gadget_driver bind", "a USB gadget"],
  ["usb_composite_driver bind", "a USB gadget"],
  ["driver_info bind", "a network device"],
  ["pernet_operations init", "a network namespace"],
]);

/** Calls that are given a function to be called once for a new file system (fs/super.c). */
const ARGUMENTS =
  /^(?:get_tree_(?:bdev|nodev|single|keyed|mtd)(?:_flags)?|mount_(?:bdev|nodev|single|mtd)|vfs_get_super|vfs_get_tree)$/;

function setUpBy({ member, argumentOf, file, line }: Use, source: SourceFile): string | undefined {
  if (argumentOf !== undefined && ARGUMENTS.test(argumentOf)) return "a file system";
  if (member === undefined) return undefined;
  const known = MEMBERS.get(member);
  if (known !== undefined || file !== source.path) return known;
  const struct = /\bstruct\s+(\w+)\s+\w+\s*=/.exec(headingAt(source, line)?.text ?? "")?.[1];
  return struct === undefined ? undefined : MEMBERS_OF.get(`${struct} ${member}`);
}
