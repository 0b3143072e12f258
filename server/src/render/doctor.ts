import type { DoctorReport } from "../doctor/report.js";
import type { Colors } from "./colors.js";
import { printableLine } from "./printable.js";

/** What the machine has, a line a thing; what to do last. */
export function renderDoctorText(report: DoctorReport, colors: Colors): string {
  const row = (well: boolean, name: string, said: string) => {
    const mark = well ? colors.verdict.safe("has  ") : colors.verdict.unsafe("lacks");
    return `${mark} ${name.padEnd(24)} ${printableLine(said)}`;
  };
  const gigabytes = (report.disk.freeBytes / 1e9).toFixed(1);
  return `${[
    ...report.requirements.map(({ name, kernels, purpose, found }) =>
      row(
        found !== null,
        name,
        found ?? `${purpose}${kernels === "all" ? "" : ` (only for ${kernels} kernels)`}`,
      ),
    ),
    row(report.disk.enough, "disk", `${gigabytes} GB free below ${report.disk.cache}`),
    row(report.kvm.usable, "KVM", report.kvm.reason),
    "",
    ...(report.install === null ? [] : [`to install what is missing: ${report.install}`]),
    report.ready ? "ready" : "not ready",
  ].join("\n")}\n`;
}
