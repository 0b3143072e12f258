import type { DoctorReport } from "../doctor/report.js";
import type { Colors } from "./colors.js";
import { printableLine } from "./printable.js";

/** What the machine has, a line a thing; what to do last. */
export function renderDoctorText(report: DoctorReport, colors: Colors): string {
  const { safe: well, unsafe: bad, "needs-review": tolerable } = colors.verdict;
  const lines = report.requirements.map(({ name, why, found, optional, remedy }) => {
    const mark = found !== undefined ? well("has  ") : optional ? tolerable("lacks") : bad("lacks");
    const said = found ?? [why, remedy].filter((part) => part !== undefined).join("; ");
    return `${mark} ${printableLine(name).padEnd(24)} ${printableLine(said)}`;
  });
  const install = report.install === null ? [] : [`install what is missing with: ${report.install}`];
  return `${[...lines, "", ...install, report.ready ? "ready" : "not ready"].join("\n")}\n`;
}
