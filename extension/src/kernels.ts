import type { AvailableKernelList, KernelProfileList } from "@kernel-hotpatch/server/kernels/profile-list";
import * as vscode from "vscode";
import { faultOf } from "./fault";
import { askHotpatch, type HotpatchProgram } from "./hotpatch-program";

interface Choice extends vscode.QuickPickItem {
  readonly kernel?: string;
  readonly isAdded?: boolean;
}

/** The kernels that were added. @throws HotpatchError */
export async function addedKernels(program: HotpatchProgram): Promise<KernelProfileList["profiles"]> {
  const { profiles } = await askHotpatch<KernelProfileList>(program, ["kernel", "list"]);
  return profiles;
}

/**
 * Has a person choose the kernel to patch, and fetches it where it was not added yet.
 * @param trees folders of the kernel trees that are open, for `tree:PATH`
 * @returns its name; undefined when none was chosen
 * @throws HotpatchError
 */
export async function pickKernel(
  program: HotpatchProgram,
  trees: readonly string[],
  log: vscode.LogOutputChannel,
): Promise<string | undefined> {
  const pick = vscode.window.createQuickPick<Choice>();
  pick.title = "The kernel to patch";
  pick.placeholder = "Kernels that are not here yet are fetched: 150 to 450 MB";
  pick.matchOnDescription = true;
  pick.busy = true;
  const stop = new AbortController();
  const chosen = new Promise<Choice | undefined>((resolve) => {
    pick.onDidAccept(() => {
      const [item] = pick.selectedItems;
      // Whoever accepts before anything is listed means nothing of it.
      if (item?.kernel !== undefined) resolve(item);
    });
    pick.onDidHide(() => resolve(undefined));
  });
  pick.show();
  void fill(program, trees, pick, stop.signal).catch((error: unknown) => {
    if (stop.signal.aborted) return;
    const { message } = faultOf(error);
    log.warn(message);
    pick.items = [...pick.items, { label: "$(warning) Others are not known", detail: message }];
    pick.busy = false;
  });
  const choice = await chosen;
  stop.abort();
  pick.dispose();
  if (choice?.kernel === undefined) return undefined;
  if (!choice.isAdded) await addKernel(program, choice.kernel, log);
  return choice.kernel;
}

async function fill(
  program: HotpatchProgram,
  trees: readonly string[],
  pick: vscode.QuickPick<Choice>,
  signal: AbortSignal,
): Promise<void> {
  const added = await askHotpatch<KernelProfileList>(program, ["kernel", "list"], { signal });
  const here = added.profiles.map(
    ({ id, arch, origin }): Choice => ({
      label: id,
      description: `${arch}, ${origin}`,
      kernel: id,
      isAdded: true,
    }),
  );
  const known = new Set(added.profiles.map(({ id }) => id));
  const latest = ["debian/latest-amd64", "debian/latest-arm64"].map(
    (id): Choice => ({ label: id, description: "the newest stock kernel", kernel: id, isAdded: false }),
  );
  const own = trees
    .map((tree) => `tree:${tree}`)
    .filter((id) => !known.has(id))
    .map(
      (id): Choice => ({ label: id, description: "as this tree is configured", kernel: id, isAdded: false }),
    );
  const separator = (label: string): Choice => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const first = [separator("here"), ...here, separator("to be fetched"), ...latest, ...own];
  pick.items = first;
  const { kernels } = await askHotpatch<AvailableKernelList>(program, ["kernel", "list", "--available"], {
    signal,
  });
  const others = kernels
    .filter(({ id }) => !known.has(id))
    .map(
      ({ id, arch, version }): Choice => ({
        label: id,
        description: `${arch}, ${version}`,
        kernel: id,
        isAdded: false,
      }),
    );
  if (!signal.aborted) pick.items = [...first, ...others];
  pick.busy = false;
}

/** Fetches and prepares a kernel, with its progress shown. @throws HotpatchError */
export async function addKernel(
  program: HotpatchProgram,
  id: string,
  log: vscode.LogOutputChannel,
): Promise<void> {
  await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Adding ${id}`, cancellable: true },
    async (progress, token) => {
      const stop = new AbortController();
      token.onCancellationRequested(() => stop.abort());
      const onStep = (step: string) => {
        log.info(step);
        progress.report({ message: step });
      };
      await askHotpatch(program, ["kernel", "add", id], { signal: stop.signal, onStep });
    },
  );
}
