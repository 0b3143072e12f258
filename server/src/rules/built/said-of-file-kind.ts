import type { ChangedFile } from "../../change/change-set.js";
import { firstChange } from "../../change/first-change.js";
import type { SourceFinding } from "../inspection.js";

/**
 * What the kind of a file alone says, in the build's own words (`kindOfFile`), when it says it of this rule. Nothing for
 * C of which only comments changed.
 */
export function* saidOfFileKind(file: ChangedFile, rule: string): Generator<SourceFinding> {
  const { observation } = file.kind;
  if (observation?.rule !== rule || file.isCosmetic) return;
  const { message, severity } = observation;
  yield { at: firstChange(file), message, ...(severity && { severity }) };
}
