import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { Fault } from "../host/fault.js";
import { withLock } from "../host/lock.js";
import { run, runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import { requireRoom } from "./room.js";
import { parseStanzas, type Stanza } from "./stanzas.js";

/** A package of the archive; without a version the newest is meant. */
export interface PackageName {
  readonly name: string;
  /** Debian's name of the architecture; packages for all of them are found under `amd64`. */
  readonly arch: "amd64" | "arm64";
  readonly version?: string;
}

const INDEX_HOURS = 6;
const INDEX_BYTES = 300e6;
const INDEX_SECONDS = 1800;
const DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const APT_HELPER = "/usr/lib/apt/apt-helper";

/**
 * What Debian's archive says of packages, through apt with a configuration of our own; the machine's apt is only
 * asked where its archives are.
 * @param names `name` or `name:arch`; all versions of each are told, those that apt prefers first
 * @returns the control stanzas; a name that the archive does not have gives none
 * @throws Fault `lacking` without apt, without network at the first use, without a Debian archive in apt's sources
 */
export async function packageStanzas(work: Work, names: readonly string[]): Promise<Stanza[]> {
  await ensureIndex(work);
  if (names.length === 0) return [];
  // Status 100 says that some name is unknown; those known are printed all the same.
  const result = await run(work, ["apt-cache", "show", ...names], environment(work));
  return parseStanzas(result.stdout);
}

/** The names of all packages, of every architecture, that begin with `prefix`. @throws Fault as `packageStanzas` */
export async function packageNames(work: Work, prefix: string): Promise<string[]> {
  await ensureIndex(work);
  const names = await runOk(work, ["apt-cache", "pkgnames", prefix], environment(work));
  return names.split("\n").filter((name) => name !== "");
}

/**
 * Fetches the archive's index again whatever its age.
 * @throws Fault `lacking` without network or apt
 */
export async function refreshIndex(work: Work): Promise<void> {
  await withLock(work, lockFile(work), "the package index", async () => {
    await configure(work);
    await update(work);
  });
}

/**
 * Downloads packages into the cache, verified by apt down to the archive's signature. What a killed download left is
 * continued where the mirror allows it.
 * @returns the paths of the `.deb` files, in the order asked for
 * @throws Fault `bad-input` for a package that the archive lacks; `lacking` without network, apt or room on the disk
 */
export async function fetchPackages(work: Work, packages: readonly PackageName[]): Promise<string[]> {
  await ensureIndex(work);
  return withLock(work, lockFile(work), "a download", async () => {
    const fetch = async () => {
      const offered: Download[] = [];
      for (const wanted of packages) offered.push(await locate(work, wanted));
      await download(work, offered);
      return offered.map((file) => file.path);
    };
    try {
      return await fetch();
    } catch (error) {
      // A mirror that no longer has what the index names has a newer index.
      if (!(error instanceof Fault) || !/ 404 /.test(error.detail)) throw error;
      await update(work);
      return await fetch();
    }
  });
}

/** A file to download, as apt's index describes it. */
export interface Download {
  readonly uri: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
}

/**
 * Downloads with apt's own transports and checks each file's size and hash; what already is there stays.
 * @throws Fault `lacking` when there is no network or no room
 */
export async function download(work: Work, files: readonly Download[]): Promise<void> {
  const missing = files.filter((file) => !existsSync(file.path));
  if (missing.length === 0) return;
  await requireRoom(work, sum(missing.map((file) => file.size)));
  for (const file of missing) await restoreDate(`${file.path}.partial`);

  const first = basename(missing[0]?.path ?? "").replace(/_.*/, "");
  const others = missing.length > 1 ? ` and ${missing.length - 1} more` : "";
  const bytes = sum(missing.map((file) => file.size));
  const step = `downloading ${first}${others} (${Math.ceil(bytes / 1e6)} MB)`;
  const partials = missing.map((file) => `${file.path}.partial`);
  const tell = async () => {
    const sizes = await Promise.all([...partials, ...missing.map((file) => file.path)].map(sizeOf));
    work.progress(step, Math.min(1, sum(sizes) / bytes));
  };
  const ticking = setInterval(() => void tell(), 500);
  work.progress(step, 0);
  const transfers = missing.flatMap((file) => [file.uri, `${file.path}.partial`, `SHA256:${file.sha256}`]);
  // The worker's log is the one place where apt tells a file's date, which resuming needs (see `restoreDate`).
  const result = await run(
    work,
    [APT_HELPER, "download-file", "-qq", "-o", "Debug::pkgAcquire::Worker=1", ...transfers],
    {
      ...environment(work),
      onErrorOutput: dateKeeper(new Map(missing.map((file) => [file.uri, `${file.path}.partial`]))),
    },
  ).finally(() => clearInterval(ticking));
  if (result.status !== 0) throw downloadFault(`cannot download ${first}${others}`, result.stderr);
  for (const file of missing) {
    await rename(`${file.path}.partial`, file.path);
    await rm(`${file.path}.partial.date`, { force: true });
  }
}

async function locate(work: Work, wanted: PackageName): Promise<Download> {
  const name = `${wanted.name}:${wanted.arch}${wanted.version === undefined ? "" : `=${wanted.version}`}`;
  const result = await run(work, ["apt-get", "download", "--print-uris", name], environment(work));
  const found = /^'([^']+)' (\S+) (\d+) SHA256:([0-9a-f]{64})/m.exec(result.stdout);
  const [, uri, file, size, sha256] = found ?? [];
  if (uri === undefined || file === undefined || size === undefined || sha256 === undefined) {
    throw new Fault("bad-input", `Debian's archive has no package ${name.replace("=", " ")}`, {
      remedy: "'hotpatch kernel list --available' shows what there is",
      detail: result.stderr,
    });
  }
  await mkdir(packagesFolder(work), { recursive: true });
  return { uri, path: join(packagesFolder(work), file), size: Number(size), sha256 };
}

async function ensureIndex(work: Work): Promise<void> {
  const age = await indexAge(work);
  if (age !== undefined && age < INDEX_HOURS) return;
  await withLock(work, lockFile(work), "the package index", async () => {
    const changed = await configure(work);
    const now = await indexAge(work);
    if (!changed && now !== undefined && now < INDEX_HOURS) return;
    try {
      await update(work);
    } catch (error) {
      // An old index still names what the cache holds; without any, nothing can be told.
      if (now === undefined || !(error instanceof Fault) || error.code !== "lacking") throw error;
      work.progress(`using the package index of ${Math.round(now)} h ago: ${error.message}`);
    }
  });
}

/** Hours since the index was fetched; undefined when there is none. */
async function indexAge(work: Work): Promise<number | undefined> {
  try {
    return (Date.now() - (await stat(updatedMark(work))).mtimeMs) / 3_600_000;
  } catch {
    return undefined;
  }
}

async function update(work: Work): Promise<void> {
  const step = "fetching Debian's package index";
  work.progress(step);
  // Both, since apt waits for ever when the disk fills up meanwhile.
  await requireRoom(work, INDEX_BYTES);
  const deadline = INDEX_SECONDS;
  const result = await run(
    work,
    ["apt-get", "update", "-qq", "-o", "APT::Update::Error-Mode=any", "-o", "APT::Status-Fd=1"],
    { ...environment(work), deadline, onOutput: statusReader(work, step) },
  );
  if (result.status !== 0) throw downloadFault("cannot fetch Debian's package index", result.stderr);
  await writeFile(updatedMark(work), "");
}

/**
 * Writes the private configuration from what the machine's own apt says.
 * @returns whether it changed
 */
async function configure(work: Work): Promise<boolean> {
  const apt = aptFolder(work);
  await mkdir(join(apt, "state/lists/partial"), { recursive: true });
  await mkdir(join(apt, "cache/archives/partial"), { recursive: true });
  await mkdir(join(apt, "etc/apt.conf.d"), { recursive: true });
  await mkdir(join(apt, "etc/preferences.d"), { recursive: true });
  const missingApt = { failure: { code: "lacking" as const, message: "cannot ask apt for its sources" } };
  const uris = await runOk(work, ["apt-get", "update", "--print-uris"], missingApt);
  const acquire = await runOk(work, ["apt-config", "dump", "Acquire"], missingApt);
  const sources = debianSources(uris);
  if (sources.length === 0) {
    throw new Fault("lacking", "apt has no Debian archive among its sources", {
      remedy:
        "add 'deb http://deb.debian.org/debian bookworm main' and its security suite to /etc/apt/sources.list",
    });
  }
  const files = {
    [join(apt, "state/status")]: "",
    [join(apt, "etc/sources.list")]: `${sources.join("\n")}\n`,
    [configurationFile(work)]: configuration(apt, acquire),
  };
  let changed = false;
  for (const [path, text] of Object.entries(files)) {
    if ((await readFile(path, "utf8").catch(() => undefined)) === text) continue;
    changed = true;
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
  return changed;
}

/**
 * The lines for `sources.list` that stand for Debian's own archives.
 * They are told by their path, since apt knows an archive's origin only after fetching its index, and kept honest by
 * Debian's own keys: nothing else passes as signed.
 * @param uris what `apt-get update --print-uris` printed
 */
export function debianSources(uris: string): string[] {
  const index =
    /^'([^']+?\/debian(?:-security)?(?:\/[^']*?)?)\/dists\/([^']+?)\/([^/']+)\/binary-[^/']+\/Packages[^']*'/;
  const components = new Map<string, Set<string>>();
  for (const line of uris.split("\n")) {
    const [, archive, suite, component] = index.exec(line) ?? [];
    if (archive === undefined || suite === undefined || component === undefined) continue;
    if (/^cdrom:/.test(archive)) continue;
    const key = `${archive} ${suite}`;
    components.set(key, (components.get(key) ?? new Set()).add(component));
  }
  const signed = existsSync(DEBIAN_KEYRING) ? `[signed-by=${DEBIAN_KEYRING}] ` : "";
  return [...components].map(([key, names]) => `deb ${signed}${key} ${[...names].join(" ")}`);
}

function configuration(apt: string, acquire: string): string {
  return [
    ...acquire.split("\n").filter((line) => /^Acquire::(http|https|ftp|Retries|ForceIPv)/i.test(line)),
    `Dir::State "${apt}/state";`,
    `Dir::State::status "${apt}/state/status";`,
    `Dir::Cache "${apt}/cache";`,
    `Dir::Cache::srcpkgcache "";`,
    `Dir::Etc "${apt}/etc";`,
    `Dir::Etc::sourcelist "${apt}/etc/sources.list";`,
    `Dir::Etc::sourceparts "-";`,
    // Passwords for the archives, and keys of machines that lack Debian's keyring file, stay where they are.
    `Dir::Etc::netrc "/etc/apt/auth.conf";`,
    `Dir::Etc::netrcparts "/etc/apt/auth.conf.d";`,
    `Dir::Etc::trusted "/etc/apt/trusted.gpg";`,
    `Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";`,
    `APT::Architecture "amd64";`,
    `APT::Architectures { "amd64"; "arm64"; };`,
    // Root's apt would hand downloads to a user that cannot write below root's home.
    `APT::Sandbox::User "";`,
    `Acquire::Languages "none";`,
    "",
  ].join("\n");
}

/** Reads apt's status lines, such as `dlstatus:1:26.3390:Retrieving file 1 of 3`. */
function statusReader(work: Work, step: string): (chunk: Buffer) => void {
  return (chunk) => {
    const percents = [...chunk.toString().matchAll(/^dlstatus:\d+:([\d.]+):/gm)];
    const last = percents.at(-1)?.[1];
    if (last !== undefined) work.progress(step, Number(last) / 100);
  };
}

/**
 * Notes each file's date beside it as soon as apt's worker log tells it.
 * @param partials where each URI is being written
 */
function dateKeeper(partials: ReadonlyMap<string, string>): (chunk: Buffer) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith(" <- ") || !line.includes("200%20URI%20Start")) continue;
      const message = decodeURIComponent(line);
      const partial = partials.get(/^URI: (.*)$/m.exec(message)?.[1] ?? "");
      const date = /^Last-Modified: (.*)$/m.exec(message)?.[1];
      // Lost when this fails: one resumption.
      if (partial !== undefined && date !== undefined)
        writeFile(`${partial}.date`, date).catch(() => undefined);
    }
  };
}

/**
 * Gives a file that a killed download left behind the date that the mirror has for it: apt asks for the rest with
 * `If-Range` and the file's own date, and a mirror to which that date is unknown sends everything again.
 */
async function restoreDate(partial: string): Promise<void> {
  const date = await readFile(`${partial}.date`, "utf8").catch(() => "");
  const seconds = Date.parse(date) / 1000;
  if (Number.isNaN(seconds) || !existsSync(partial)) return;
  await utimes(partial, seconds, seconds);
}

function downloadFault(message: string, stderr: string): Fault {
  const lines = stderr.split("\n").filter((line) => /^[EW]: /.test(line));
  const told = lines.find((line) => /Failed to fetch|No space/.test(line)) ?? lines[0] ?? "";
  const why = told.replace(/^[EW]: (Failed to fetch \S+\s*)?/, "").trim();
  const full = /No space left on device/.test(stderr);
  return new Fault("lacking", full ? `${message}: the disk is full` : `${message}${why ? `: ${why}` : ""}`, {
    remedy: full
      ? "make room, or set XDG_CACHE_HOME to a folder on a larger disk"
      : "check the network and run again; what was downloaded is kept",
    detail: lines.join("\n"),
  });
}

function environment(work: Work): { env: Record<string, string> } {
  return { env: { APT_CONFIG: configurationFile(work) } };
}

const aptFolder = (work: Work) => join(work.cache, "apt");
const configurationFile = (work: Work) => join(aptFolder(work), "apt.conf");
const updatedMark = (work: Work) => join(aptFolder(work), "updated");
const lockFile = (work: Work) => join(work.cache, "locks", "apt");
const packagesFolder = (work: Work) => join(work.cache, "packages");

/** Bytes; 0 for what is not there. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
