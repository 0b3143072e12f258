import { existsSync } from "node:fs";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../host/fault.js";
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import { fetchPackages, packageStanzas } from "./archive.js";
import type { KernelProfile } from "./profile.js";
import type { Stanza } from "./stanzas.js";

/** A compiler that is not this machine's, run by an emulator of its processor. */
export interface EmulatedCompiler {
  /** For gcc's option `-B`: holds a program `cc1` that stands for the real one. */
  readonly folder: string;
  /** As the first line of `--version` would have it. */
  readonly version: string;
}

/**
 * Fetches the compiler that built an image for another processor. Debian's cross compilers are built once a release,
 * and lack what its native ones are given later: with the fix of CVE-2023-4039, functions with arrays have other stack
 * frames. Only the compiler proper, cc1, differs and is emulated; driver and assembler are the cross compiler's.
 * @param builtWith what the image's configuration says, such as `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`
 * @param folder where everything is put; made when missing
 * @returns undefined when that compiler is none of Debian's, or not in its archive any more
 * @throws Fault as `fetchPackages`
 */
export async function fetchEmulatedCompiler(
  work: Work,
  builtWith: string,
  folder: string,
): Promise<EmulatedCompiler | undefined> {
  const [, version, release] = /\(Debian ([^)]+)\) ((\d+)\.[\d.]+)/.exec(builtWith) ?? [];
  const major = release?.split(".")[0];
  if (version === undefined || major === undefined) return undefined;
  const name = `cpp-${major}`;
  const stanza = (await packageStanzas(work, [`${name}:arm64`])).find(
    (candidate) => candidate.get("Version") === version && candidate.get("Architecture") === "arm64",
  );
  if (stanza === undefined) return undefined;
  work.progress(`fetching the compiler that built the image (${version})`);
  const [emulator, ...packages] = await fetchPackages(work, [
    { name: "qemu-user-static", arch: "amd64" },
    { name, arch: "arm64", version },
    ...libraries(stanza).map((library) => ({ name: library, arch: "arm64" as const })),
  ]);
  if (emulator === undefined) throw new Fault("defect", "fewer packages than were asked for");
  const root = join(folder, "root");
  await mkdir(root, { recursive: true });
  for (const path of packages) await runOk(work, ["dpkg-deb", "--extract", path, root]);
  const aside = join(folder, "emulator");
  await runOk(work, ["dpkg-deb", "--extract", emulator, aside]);
  const qemu = join(folder, "qemu-aarch64");
  await rename(join(aside, "usr/bin/qemu-aarch64-static"), qemu);
  await rm(aside, { recursive: true });

  const cc1 = join(root, "usr/lib/gcc/aarch64-linux-gnu", major, "cc1");
  if (!existsSync(cc1)) throw new Fault("defect", `${name} ${version} has no ${cc1.slice(root.length)}`);
  const bin = join(folder, "bin");
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, "cc1"), `#!/bin/sh\nexec '${qemu}' -L '${root}' '${cc1}' "$@"\n`);
  await chmod(join(bin, "cc1"), 0o755);
  return { folder: bin, version: builtWith };
}

/** The shared libraries that a program is linked with. */
function libraries(stanza: Stanza): string[] {
  return (stanza.get("Depends") ?? "")
    .split(",")
    .map((alternatives) => alternatives.trim().split(/[\s|(:]/)[0] ?? "")
    .filter((dependency) => /^(lib|zlib)/.test(dependency));
}

/** Options for the compiler driver that bring the emulated compiler in. */
export function emulationFlags({ cc1 }: KernelProfile["compiler"]): string[] {
  return cc1 === undefined ? [] : [`-B${cc1}/`];
}
