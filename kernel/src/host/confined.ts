import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter } from "node:path";
import { Fault } from "./fault.js";
import { type Expected, outputOf, type RunOptions, type RunResult, run } from "./run.js";
import type { Work } from "./work.js";

/** What a program may see of this machine beside its programs and libraries. */
export interface Confinement {
  /** Files and folders, absolute; what is not there is left out. */
  readonly readable: readonly string[];
  /** The one folder that it may write to, where it is at home as well; none when absent. */
  readonly writable?: string;
  /** Such as `/dev/kvm`. */
  readonly devices?: readonly string[];
  /** MiB that one of its processes may map; 4096 when absent. */
  readonly memory?: number;
}

type ConfinedWork = Pick<Work, "signal" | "unconfined">;

/** Programs, libraries and what makes them found; nothing below is anybody's own. */
const SYSTEM = [
  ...["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"],
  ...["/etc/alternatives", "/etc/ld.so.cache"],
];
const LIMIT = { seconds: 900, memory: 4096, file: 512, processes: 2048 };
const MIB = 1024 ** 2;

/**
 * Runs a program that a patch has a say in (a compiler, a tool of the kernel's build, a guest) as `run` does, in
 * namespaces of its own made by bubblewrap: no network, no processes but its own, nothing of `/proc`, of the person's
 * home or environment; it ends with us. Bounds hold for each of its processes (setrlimit(2)); the number of processes is
 * not bounded for root, whom the kernel exempts (kernel/fork.c, `copy_process`), but the time is.
 * With `work.unconfined` only the bounds are left.
 * @throws Fault as `run`, and `lacking` where bubblewrap or the kernel's permission for it is
 */
export async function runConfined(
  work: ConfinedWork,
  argv: readonly [string, ...string[]],
  confinement: Confinement,
  options: RunOptions = {},
): Promise<RunResult> {
  const { writable, memory = LIMIT.memory } = confinement;
  const limited = [
    ...["prlimit", `--as=${memory * MIB}`, `--fsize=${LIMIT.file * MIB}`, `--nproc=${LIMIT.processes}`],
    ...["--core=0", "--", ...argv],
  ] as const;
  const env = { ...(writable !== undefined && { TMPDIR: writable }), ...options.env };
  const bounded = { deadline: LIMIT.seconds, ...options, env, name: argv[0] };
  if (work.unconfined) return await run(work, limited, bounded);
  const result = await run(work, ["bwrap", ...walls(confinement, bounded), ...limited], bounded);
  // The program may have said that itself.
  if (result.status === 1 && result.stderr.startsWith("bwrap: ")) await proveConfinement(work);
  return result;
}

/** To {@link runConfined} as `runOk` is to `run`. */
export async function runConfinedOk(
  work: ConfinedWork,
  argv: readonly [string, ...string[]],
  confinement: Confinement,
  options: RunOptions & Expected = {},
): Promise<string> {
  return outputOf(argv[0], await runConfined(work, argv, confinement, options), options);
}

/**
 * Confines a program that does nothing.
 * @throws Fault `lacking` when that cannot be done here
 */
export async function proveConfinement(work: Pick<Work, "signal">): Promise<void> {
  const argv = ["bwrap", ...walls({ readable: [] }, {}), "prlimit", "--version"] as const;
  const { status, stderr } = await run(work, argv, { deadline: 60 });
  if (status === 0) return;
  throw new Fault("lacking", `programs cannot be confined here: ${stderr.trim().split("\n")[0]}`, {
    remedy: "allow user namespaces (in a container, those of its host), or trust the patch: --no-confine",
    detail: stderr,
  });
}

/** Options of bwrap(1), up to the program. */
function walls(
  { readable, writable, devices = [] }: Confinement,
  { env, cwd }: Pick<RunOptions, "env" | "cwd">,
): string[] {
  const environment = {
    ...{ LC_ALL: "C.UTF-8", TZ: "UTC", PATH: process.env.PATH ?? "" },
    ...(writable !== undefined && { HOME: writable }),
    ...env,
  };
  const exposed = readable.find((path) => isIn(homedir(), path));
  if (exposed !== undefined)
    throw new Fault(
      "lacking",
      `${exposed} is to be read by what a patch starts, and holds your home folder`,
      {
        remedy: "move the toolchain to a folder of its own, or trust the patch: --no-confine",
      },
    );
  const seen = [...SYSTEM, ...programFolders(environment.PATH), ...withRealPaths(readable)];
  return [
    ...["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"],
    ...Object.entries(environment).flatMap(([name, value]) => ["--setenv", name, value]),
    ...seen.flatMap((path) => ["--ro-bind-try", path, path]),
    ...["--dev", "/dev", ...devices.flatMap((path) => ["--dev-bind", path, path]), "--remount-ro", "/dev"],
    ...withRealPaths(writable === undefined ? [] : [writable]).flatMap((path) => ["--bind", path, path]),
    ...["--remount-ro", "/", "--chdir", cwd === undefined ? "/" : realpathSync(cwd), "--"],
  ];
}

/** Folders of PATH that are not the system's, such as `/opt/toolchain/bin`; none of home, and not what home is in. */
function programFolders(path: string): string[] {
  return path
    .split(delimiter)
    .filter((folder) => folder.startsWith("/") && existsSync(folder))
    .filter((folder) => !SYSTEM.some((known) => isIn(folder, known)))
    .filter((folder) => !isIn(folder, homedir()) && !isIn(homedir(), folder));
}

/** As they are spelled, and as they are once all symbolic links are followed. */
function withRealPaths(paths: readonly string[]): string[] {
  return [...new Set(paths.flatMap((path) => (existsSync(path) ? [path, realpathSync(path)] : [path])))];
}

function isIn(inner: string, outer: string): boolean {
  return `${inner}/`.startsWith(outer === "/" ? outer : `${outer}/`);
}
