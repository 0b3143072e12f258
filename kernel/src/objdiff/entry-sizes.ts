import type { DebugInformation } from "../dwarf/debug-information.js";
import type { Observation } from "../observation.js";
import type { AtomicObject } from "./atoms.js";

/**
 * Holds the entries of special sections, which were told apart by their relocations, against the size that the kernel's
 * own structure has. Either would do; that they disagree means that the section is not what it is taken for.
 */
export function contradictions({
  atomic: { architecture, strides },
  information,
}: {
  readonly atomic: AtomicObject;
  readonly information: () => DebugInformation | undefined;
}): Observation[] {
  const found: Observation[] = [];
  for (const [section, stride] of strides) {
    const { structure } = architecture.special[section] ?? {};
    const type = information()?.types.find(({ keyword, name }) => keyword === "struct" && name === structure);
    if (structure === undefined || type === undefined || type.size === stride) continue;
    found.push({
      rule: "unsupported-section",
      section,
      message: `the entries of section ${section} are ${stride} bytes apart, but struct ${structure} has ${type.size}`,
    });
  }
  return found;
}
