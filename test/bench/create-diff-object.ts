import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import { packageStanzas } from "@kernel-hotpatch/kernel/profile/archive";
import { work } from "./measure.js";

/** kpatch's tool to compare objects, as a program to run; nothing of it is ever read. */
const PACKAGE = "kpatch-build";
const PROGRAM = "usr/lib/kpatch/create-diff-object";
/** The first that has it; older ones need no newer C library. */
const SUITES = ["oldstable", "stable", "testing", "unstable"];

/**
 * Unpacks create-diff-object from whichever suite of the archive has it; the system's packages are left alone.
 * @returns its path, or in words why it cannot be had
 */
export async function fetchCreateDiffObject(): Promise<{ path: string } | { lacking: string }> {
  const folder = join(work.cache, "bench", PACKAGE);
  const path = join(folder, PROGRAM);
  if (!existsSync(path)) {
    const aside = `${folder}.new`;
    try {
      await unpack(aside);
      await rm(folder, { recursive: true, force: true });
      await rename(aside, folder);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { lacking: error.message };
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }
  try {
    await runOk(work, [path, "--help"]);
    return { path };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { lacking: `it does not run here: ${error.message}` };
  }
}

async function unpack(folder: string): Promise<void> {
  const apt = join(folder, "apt");
  for (const part of ["state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"])
    await mkdir(join(apt, part), { recursive: true });
  // The configuration that profiles are fetched with, for other suites of the same archive.
  await packageStanzas(work, []);
  const own = await readFile(join(work.cache, "apt", "apt.conf"), "utf8");
  const lines = await readFile(join(work.cache, "apt", "etc", "sources.list"), "utf8");
  const [, start, archive] = /^(deb (?:\[[^\]]*\] )?)(\S+\/debian\/?) /m.exec(lines) ?? [];
  if (start === undefined || archive === undefined)
    throw new Fault("lacking", "apt has no Debian archive among its sources");
  await writeFile(join(apt, "apt.conf"), own.replaceAll(join(work.cache, "apt"), apt));
  await writeFile(join(apt, "state/status"), "");
  const env = { APT_CONFIG: join(apt, "apt.conf") };
  for (const suite of SUITES) {
    await writeFile(join(apt, "etc/sources.list"), `${start}${archive} ${suite} main\n`);
    try {
      await runOk(work, ["apt-get", "update", "-qq"], { env });
      await runOk(work, ["apt-get", "download", "-qq", `${PACKAGE}:amd64`], { env, cwd: apt });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      continue;
    }
    const deb = (await readdir(apt)).find((name) => name.endsWith(".deb"));
    if (deb === undefined) continue;
    await runOk(work, ["dpkg-deb", "-x", join(apt, deb), folder]);
    await rm(apt, { recursive: true });
    return;
  }
  throw new Fault("lacking", `no suite of the archive has ${PACKAGE}`);
}
