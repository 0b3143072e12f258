import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import type { AvailableKernelList } from "../kernels/profile-list.js";
import { printableLine } from "./printable.js";

/** A line a profile. */
export function renderProfileList(profiles: readonly KernelProfile[]): string {
  if (profiles.length === 0) return "no kernels yet; 'hotpatch kernel add debian/latest-amd64' adds one\n";
  return table(profiles.map(({ id, arch, origin, compiler }) => [id, arch, origin, compiler.command]));
}

/** A line a kernel of the archive. */
export function renderAvailable({ kernels }: AvailableKernelList): string {
  return table(
    kernels.map(({ id, arch, sourcePackage, sourceVersion }) => [
      id,
      arch,
      `${sourcePackage} ${sourceVersion}`,
    ]),
  );
}

/** All of one profile that people ask for. */
export function renderProfile(profile: KernelProfile): string {
  const { compiler, configDrift } = profile;
  return table([
    ["kernel", profile.id],
    ["release", profile.release],
    ["architecture", profile.arch],
    ["origin", profile.origin],
    ["image", profile.image],
    ["config", profile.config],
    ["source", profile.source],
    ["build", profile.build],
    ["modules", profile.modules],
    ["compiler", `${compiler.command}: ${compiler.version}`],
    ["built with", compiler.builtWith],
    ["config drift", configDrift.length === 0 ? "none" : configDrift.join(", ")],
  ]);
}

function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printableLine));
  const widths = cells.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 0)),
    [],
  );
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
