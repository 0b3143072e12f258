import type { Command } from "commander";
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
  const [{ examineMachine }, { renderDoctorText }] = await Promise.all([
    import("../doctor/examine-machine.js"),
    import("../render/doctor.js"),
  ]);
  const report = await examineMachine(session.work);
  session.report(report, (colors) => renderDoctorText(report, colors));
  return report.ready ? 0 : 3;
}
