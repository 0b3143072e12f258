import { cut } from "./cut.js";
import { printable, printableLine } from "./printable.js";

export type Property = readonly [name: string, value: string | number | null];

const LONGEST = 4_000;

/**
 * A command to a runner of GitHub, on one line; properties that are null are left out. The escapes are the runner's own
 * (actions/runner, src/Runner.Common/ActionCommand.cs).
 */
export function workflowCommand(name: string, properties: readonly Property[], text: string): string {
  const written = properties
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${escapedProperty(printableLine(cut(String(value), LONGEST)))}`);
  const head = written.length > 0 ? `${name} ${written.join(",")}` : name;
  return `::${head}::${escaped(printable(cut(text, LONGEST)))}`;
}

function escaped(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\n", "%0A");
}

function escapedProperty(text: string): string {
  return escaped(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
