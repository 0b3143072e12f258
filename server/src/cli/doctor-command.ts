import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Command } from "commander";
import type { DoctorReport } from "../doctor/report.js";
import type { Act } from "./command.js";
import type { Session } from "./session.js";

export function addDoctorCommand(program: Command, act: Act): void {
  program
    .command("doctor")
    .description("say what this machine has and lacks, and how to get it")
    .addHelpText("after", "\nExit status 3 when something is missing that reviews need.")
    .action((_options: unknown, command: Command) => act(command, doctor));
}

async function doctor(session: Session): Promise<number> {
  const [{ checkRequirements, installCommand }, { renderDoctorText }] = await Promise.all([
    import("@kernel-hotpatch/kernel/host/requirements"),
    import("../render/doctor.js"),
  ]);
  const requirements = await checkRequirements(session.work, kvmWorks);
  const ready = requirements.every(({ found, optional }) => found !== undefined || optional);
  const install = installCommand(requirements) ?? null;
  const report: DoctorReport = { schemaVersion: 1, ready, requirements, install };
  session.report(report, (colors) => renderDoctorText(report, colors));
  return ready ? 0 : 3;
}

/** Only a kernel can prove KVM: before the first one is added, nothing is proven. */
async function kvmWorks(work: Work): Promise<boolean> {
  const [{ listProfiles }, { provenKvm }] = await Promise.all([
    import("@kernel-hotpatch/kernel/profile/store"),
    import("@kernel-hotpatch/kernel/sandbox/accelerator"),
  ]);
  for (const profile of await listProfiles(work.cache)) {
    try {
      if (await provenKvm(work, profile)) return true;
    } catch (error) {
      // Without QEMU there is no sandbox at all, which is told by itself.
      if (!(error instanceof Fault) || error.code !== "lacking") throw error;
    }
  }
  return false;
}
