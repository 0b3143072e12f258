import type { Command } from "commander";
import type { AvailableKernelList, KernelProfileList } from "../kernels/profile-list.js";
import type { Act } from "./command.js";
import type { Session } from "./session.js";

const store = () => import("@kernel-hotpatch/kernel/profile/store");
const renderer = () => import("../render/kernels.js");

export function addKernelCommand(program: Command, act: Act): void {
  const kernel = program.command("kernel").description("manage the kernels that can be patched");
  kernel
    .command("add")
    .description("fetch a kernel with its source and prepare it; free to repeat")
    .argument("<profile>", "debian/RELEASE, debian/latest-amd64, debian/latest-arm64 or tree:PATH")
    .addHelpText(
      "after",
      "\nExamples:\n  hotpatch kernel add debian/latest-amd64\n  hotpatch kernel add tree:$HOME/linux",
    )
    .action((id: string, _options: unknown, command: Command) => act(command, (session) => add(session, id)));
  kernel
    .command("list")
    .description("list the kernels that were added")
    .option("--available", "list what Debian's archive has instead")
    .action((options: { available?: true }, command: Command) =>
      act(command, (session) => (options.available ? listAvailable(session) : list(session))),
    );
  kernel
    .command("show")
    .description("show one kernel")
    .argument("[profile]", "default: --kernel, or the one that reviews would use")
    .action((id: string | undefined, _options: unknown, command: Command) =>
      act(command, (session) => show(session, id)),
    );
  kernel
    .command("remove")
    .description("remove a kernel, and its source when no other kernel uses it")
    .argument("<profile>")
    .action((id: string, _options: unknown, command: Command) =>
      act(command, (session) => remove(session, id)),
    );
}

async function add(session: Session, id: string): Promise<number> {
  const [{ addProfile }, { renderProfile }] = await Promise.all([store(), renderer()]);
  const profile = await addProfile(session.work, id);
  session.report(profile, () => renderProfile(profile));
  return 0;
}

async function show(session: Session, id: string | undefined): Promise<number> {
  const [{ targetKernel }, { renderProfile }] = await Promise.all([import("./target-kernel.js"), renderer()]);
  const profile = await targetKernel(session.work, id ?? session.kernel);
  session.report(profile, () => renderProfile(profile));
  return 0;
}

async function list(session: Session): Promise<number> {
  const [{ listProfiles }, { renderProfileList }] = await Promise.all([store(), renderer()]);
  const profiles = await listProfiles(session.work.cache);
  session.report({ schemaVersion: 1, profiles } satisfies KernelProfileList, () =>
    renderProfileList(profiles),
  );
  return 0;
}

async function listAvailable(session: Session): Promise<number> {
  const [{ listDebianKernels }, { renderAvailable }] = await Promise.all([
    import("@kernel-hotpatch/kernel/profile/debian"),
    renderer(),
  ]);
  const x86 = await listDebianKernels(session.work, "x86_64");
  const available = {
    schemaVersion: 1 as const,
    kernels: [...x86, ...(await listDebianKernels(session.work, "arm64"))],
  };
  session.report(available satisfies AvailableKernelList, () => renderAvailable(available));
  return 0;
}

async function remove(session: Session, id: string): Promise<number> {
  const { removeProfile } = await store();
  await removeProfile(session.work, id);
  return 0;
}
