import { createHash } from "node:crypto";
import type { Finding } from "../review/finding.js";

/**
 * One for each finding, equal between runs while the code that it is about stays the same, wherever it moves: of rule, file,
 * symbol, the message without its numbers, the code line without its blanks, and which of several such findings it is.
 */
export function fingerprints(findings: readonly Finding[]): string[] {
  const seen = new Map<string, number>();
  return findings.map(({ rule, file, symbol, message, excerpt }) => {
    const code = (excerpt?.text ?? "").replaceAll(/\s+/g, "");
    const words = symbol === undefined || code === "" ? withoutPlaces(message) : "";
    const key = JSON.stringify([rule, file, symbol ?? "", words, code]);
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    return createHash("sha256").update(`${key}\n${count}`).digest("hex").slice(0, 32);
  });
}

/** Counts and line numbers in a message change when other code does. */
function withoutPlaces(message: string): string {
  return message.replaceAll(/\b\d+\b/g, "#");
}
