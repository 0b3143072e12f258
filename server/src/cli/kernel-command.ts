import type { Command } from "commander";
import type { AvailableKernelList, KernelProfileList } from "../kernels/profile-list.js";
import type { SourceDiff } from "../kernels/source-diff.js";
import { renderJson } from "../render/json.js";
import { printable } from "../render/printable.js";
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
    .description("remove a kernel, and its source when no other kernel uses it; list what is left")
    .argument("<profile>")
    .action((id: string, _options: unknown, command: Command) =>
      act(command, (session) => remove(session, id)),
    );
  kernel
    .command("diff")
    .description("print the difference between the sources of two kernels, as a patch")
    .argument("<from>", "a kernel that was added")
    .argument("<to>", "another one")
    .argument("[path...]", "files and folders to confine it to")
    .addHelpText(
      "after",
      "\nExample:\n  hotpatch kernel diff debian/6.1.0-55-amd64 debian/6.1.0-56-amd64 -- fs/ext4",
    )
    .action((from: string, to: string, paths: string[], _options: unknown, command: Command) =>
      act(command, (session) => diff(session, from, to, paths)),
    );
}

async function add(session: Session, id: string): Promise<number> {
  const [{ addProfile }, { renderProfile }] = await Promise.all([store(), renderer()]);
  const profile = await addProfile(session.work, id);
  session.report(profile, () => renderProfile(profile));
  return 0;
}

async function show(session: Session, id: string | undefined): Promise<number> {
  const [{ targetKernel }, { renderProfile }] = await Promise.all([
    import("../review/target-kernel.js"),
    renderer(),
  ]);
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
  const [{ listProfiles, removeProfile }, { removeBuildCache }] = await Promise.all([
    store(),
    import("@kernel-hotpatch/kernel/build/originals"),
  ]);
  const { work } = session;
  const before = await listProfiles(work.cache);
  await removeProfile(work, id);
  const left = new Set((await listProfiles(work.cache)).map((profile) => profile.id));
  for (const profile of before) if (!left.has(profile.id)) await removeBuildCache(work, profile);
  return list(session);
}

async function diff(session: Session, from: string, to: string, paths: readonly string[]): Promise<number> {
  const [{ loadProfile }, { diffSources, writeSourceDiff }] = await Promise.all([
    store(),
    import("@kernel-hotpatch/kernel/profile/source-diff"),
  ]);
  const { work, print } = session;
  const older = await loadProfile(work, from);
  const newer = await loadProfile(work, to);
  if (session.json) {
    const patch = await diffSources(work, older, newer, paths);
    print(renderJson({ schemaVersion: 1, from: older.id, to: newer.id, patch } satisfies SourceDiff));
    return 0;
  }
  // A patch must keep its bytes, a terminal its manners.
  await writeSourceDiff(work, older, newer, paths, (chunk) =>
    print(process.stdout.isTTY ? printable(chunk.toString()) : chunk),
  );
  return 0;
}
