import { basename } from "node:path";
import { Fault } from "../host/fault.js";

/** Longest name of a module in bytes: `MODULE_NAME_LEN` less the closing NUL (include/linux/moduleparam.h, 64 bit). */
const LONGEST = 55;

/**
 * @param wanted what the person called it, if they did
 * @param patch name of the first patch, which the default is made of
 * @returns a name that is safe as a C identifier, a file and an entry in sysfs
 * @throws Fault `bad-input` for a wanted name that is not
 */
export function moduleName(wanted: string | undefined, patch: string): string {
  if (wanted === undefined) {
    const stem = basename(patch).replace(/\.(?:patch|diff|mbox|eml|txt)$/i, "");
    const safe = stem.replace(/[^a-zA-Z0-9]+/g, "_").replace(/^_+|_+$/g, "");
    return `hotpatch_${safe || "patch"}`.slice(0, LONGEST);
  }
  if (!/^[a-zA-Z]\w*$/.test(wanted) || wanted.length > LONGEST)
    throw new Fault("bad-input", `'${wanted}' cannot be the name of a module`, {
      remedy: `use up to ${LONGEST} letters, digits and '_'`,
    });
  return wanted;
}
