import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type FolderObjects, objectsOfFolder } from "@kernel-hotpatch/kernel/build/kbuild";
import { defaultCache } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { addProfile } from "@kernel-hotpatch/kernel/profile/store";
import { expect, it } from "vitest";
import { unitBuilds } from "./kbuild.js";
import { treeOfProfile } from "./open-tree.js";

const work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };

/** Every folder of the kernel is made in one of the ways that these are. */
const FOLDERS = (
  "kernel kernel/sched kernel/trace kernel/bpf kernel/locking mm mm/kasan lib lib/raid6 fs fs/ext4 fs/xfs fs/nfs fs/btrfs " +
  "net/ipv4 net/core net/sched net/mac80211 block crypto security/selinux ipc io_uring " +
  "drivers/net/ethernet/intel/e1000e drivers/net/ethernet/mellanox/mlx5/core drivers/net/wireless/ath/ath9k " +
  "drivers/acpi drivers/acpi/acpica drivers/scsi drivers/usb/core drivers/gpu/drm drivers/gpu/drm/i915 " +
  "drivers/firmware/efi/libstub drivers/char sound/core arch/x86/kernel arch/x86/mm arch/x86/lib arch/x86/kvm virt/kvm"
).split(" ");

it("agrees with make about the stock kernel", { timeout: 600_000 }, async () => {
  const profile = await addProfile(work, "debian/latest-amd64");
  const tree = await treeOfProfile(profile, work.cache);
  const build = unitBuilds(tree);
  const counts = { same: 0, unknown: 0 };
  const wrong: string[] = [];
  for (const folder of FOLDERS) {
    const objects = await objectsOfFolder(work, profile, folder);
    if (!objects) continue;
    const isEntered = !folder.includes("/") || (await listsFolder(profile, dirname(folder), folder));
    const files = (await readdir(join(tree.root, folder))).filter((name) => name.endsWith(".c"));
    for (const file of files.map((name) => join(folder, name))) {
      const { into } = build(file);
      const made = isEntered ? madeBy(objects, file.replace(/\.c$/, ".o")) : "nothing";
      if (into === "unknown") counts.unknown++;
      else if (into === made) counts.same++;
      else wrong.push(`${file}: ${into}, make says ${made}`);
    }
  }
  console.log(
    `makefiles by their text: ${counts.same} as make, ${counts.unknown} unknown, ${wrong.length} wrong`,
  );
  expect(wrong).toEqual([]);
  expect(counts.same).toBeGreaterThan(1000);
  expect(counts.unknown).toBeLessThan(counts.same / 50);
});

/** Whether make comes to a folder from one above, which may be several levels higher. */
async function listsFolder(profile: KernelProfile, above: string, folder: string): Promise<boolean> {
  if (above === "." || above === "arch") return folder.startsWith("arch/x86/") || !folder.includes("/");
  const objects = await objectsOfFolder(work, profile, above);
  return objects?.folders.has(folder) === true || (await listsFolder(profile, dirname(above), folder));
}

function madeBy(objects: FolderObjects, object: string): string {
  if (objects.builtIn.has(object)) return "vmlinux";
  if (objects.module.has(object)) return "module";
  return objects.library.has(object) ? "library" : "nothing";
}
