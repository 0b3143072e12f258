import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, statfs } from "node:fs/promises";
import { delimiter } from "node:path";
import { proveConfinement } from "./confined.js";
import { Fault } from "./fault.js";
import { run } from "./run.js";
import type { Work } from "./work.js";

/** Something that this machine should have. */
export interface Requirement {
  /** Such as `flex`, `libelf.h` or `disk`. */
  readonly name: string;
  /** What it is for, one clause. */
  readonly why: string;
  /** Its version, or what else tells it; absent when it lacks. */
  readonly found?: string;
  /** Work goes on without it, only slower. */
  readonly optional: boolean;
  /** The Debian package that brings it; absent where none does. */
  readonly package?: string;
  /** What to do where no package helps. */
  readonly remedy?: string;
}

/** An entry of `debian-packages.json`, which `tools/setup.mjs` reads as well. */
interface PackageEntry {
  readonly package: string;
  readonly why: string;
  /** Matches the whole name of a program on PATH. */
  readonly program?: string;
  readonly file?: string;
  /** Only this repository's tests need it. */
  readonly onlyTests?: boolean;
}

const PACKAGES = new URL("../../debian-packages.json", import.meta.url);
const DISK_BYTES = 4e9;

/**
 * Looks whether this machine has all that building and testing hot patches needs.
 * @param kvmWorks proves by a short boot that KVM is usable; `provenKvm` of the sandbox
 * @returns everything looked at, found or not
 */
export async function checkRequirements(
  work: Work,
  kvmWorks: (work: Work) => Promise<boolean>,
): Promise<Requirement[]> {
  const entries: PackageEntry[] = JSON.parse(await readFile(PACKAGES, "utf8"));
  const programs = await programsOnPath();
  const fromPackages: Requirement[] = [];
  for (const entry of entries) {
    if (!entry.onlyTests) fromPackages.push(await checkPackage(work, entry, programs));
  }
  return [
    ...fromPackages,
    await checkConfinement(work),
    await checkDisk(work),
    await checkKvm(work, kvmWorks),
  ];
}

/** The command that installs whatever lacks and Debian has; undefined when nothing does. */
export function installCommand(requirements: readonly Requirement[]): string | undefined {
  const lacking = requirements.filter((requirement) => requirement.found === undefined);
  const packages = [...new Set(lacking.flatMap((requirement) => requirement.package ?? []))];
  return packages.length === 0
    ? undefined
    : `sudo apt-get install --no-install-recommends ${packages.join(" ")}`;
}

async function checkPackage(
  work: Work,
  entry: PackageEntry,
  programs: ReadonlySet<string>,
): Promise<Requirement> {
  const { why, package: debianPackage } = entry;
  if (entry.program !== undefined) {
    const pattern = new RegExp(`^${entry.program}$`);
    const program = [...programs].filter((name) => pattern.test(name)).sort()[0];
    const name = program ?? entry.program.replace(/\(.*\)\?$/, "");
    const found = program && (await versionOf(work, program));
    return { name, why, optional: false, package: debianPackage, ...(found ? { found } : {}) };
  }
  const file = entry.file ?? "";
  const found = existsSync(file) ? await packageVersion(work, debianPackage) : undefined;
  return { name: debianPackage, why, optional: false, package: debianPackage, ...(found ? { found } : {}) };
}

async function versionOf(work: Work, program: string): Promise<string> {
  const { stdout, stderr } = await run(work, [program, "--version"], { deadline: 10 });
  const told = stdout || stderr;
  return /\d+(?:\.\d+)+/.exec(told)?.[0] ?? /version (\d+)/.exec(told)?.[1] ?? "unknown version";
}

async function packageVersion(work: Work, name: string): Promise<string> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
  const query = await run(work, ["dpkg-query", "--show", "--showformat", "${Version}", name], {
    deadline: 10,
  });
  return query.stdout.trim() || "not from a package";
}

async function checkDisk(work: Work): Promise<Requirement> {
  await mkdir(work.cache, { recursive: true });
  const disk = await statfs(work.cache);
  const free = disk.bavail * disk.bsize;
  const gb = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  return {
    name: "disk",
    why: `kernels, their sources and builds are kept in ${work.cache}`,
    optional: false,
    ...(free >= DISK_BYTES
      ? { found: `${gb(free)} free` }
      : {
          remedy: `make room, or set XDG_CACHE_HOME: ${gb(free)} are free, a kernel needs up to ${gb(DISK_BYTES)}`,
        }),
  };
}

async function checkConfinement(work: Work): Promise<Requirement> {
  const lacking = await proveConfinement(work).catch((error: unknown) => {
    if (!(error instanceof Fault) || error.code !== "lacking") throw error;
    return error;
  });
  return {
    name: "confinement",
    why: "what a patch starts sees neither this machine's files nor its network",
    optional: false,
    ...(lacking ? { remedy: `${lacking.message}; ${lacking.remedy}` } : { found: "proven by a run" }),
  };
}

async function checkKvm(work: Work, kvmWorks: (work: Work) => Promise<boolean>): Promise<Requirement> {
  const works = await kvmWorks(work);
  return {
    name: "KVM",
    why: "the sandbox runs at full speed with it, under emulation without",
    optional: true,
    ...(works
      ? { found: "proven by a boot" }
      : { remedy: "run on a machine whose /dev/kvm you may use, if speed matters" }),
  };
}

async function programsOnPath(): Promise<Set<string>> {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
  const listed = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return new Set(listed.flat());
}
