import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run, runOk } from "../host/run.js";
import { defaultCache } from "../host/work.js";
import { listDebianKernels, newestPair } from "./debian.js";
import type { KernelProfile } from "./profile.js";
import { listProfiles, loadProfile, removeProfile } from "./store.js";

/** Compiled beforehand, since the additions run in processes of their own. */
const STORE = fileURLToPath(new URL("../../dist/profile/store.js", import.meta.url));
const LATEST = "debian/latest-amd64";
/** Root needs no user namespace, which containers often forbid. */
const MAPPED = process.getuid?.() === 0 ? [] : ["--map-root-user"];
const MINUTES = 60_000;

let cache = "";
const work = () => ({ signal: new AbortController().signal, cache, progress: () => undefined });

beforeAll(async () => {
  if (!existsSync(STORE)) throw new Error(`${STORE} is missing: run 'npm run build' first`);
  // On the disk that is meant for kernels: /tmp may be small.
  await mkdir(dirname(defaultCache()), { recursive: true });
  cache = await mkdtemp(`${defaultCache()}-test-`);
});
afterAll(() => rm(cache, { recursive: true, force: true, maxRetries: 10 }), 2 * MINUTES);

test(
  "an addition killed in any phase leaves no profile; two at once then both end well",
  async () => {
    for (const phase of [
      "downloading",
      "unpacking",
      "(modules_prepare)",
      "preparing the kernel's build (olddef",
    ]) {
      const killed = add(LATEST);
      await killed.reaches(phase);
      await setTimeout(300);
      killed.process.kill("SIGKILL");
      await killed.end;
      expect(await listProfiles(cache), `killed while ${phase}`).toEqual([]);
    }

    const [one, other] = [add(LATEST), add(LATEST)];
    const profile = JSON.parse((await one.end).result ?? "");
    expect(JSON.parse((await other.end).result ?? "")).toEqual(profile);
    await expectWhole(profile);
    expect(await loadProfile(work(), LATEST)).toEqual(profile);

    const left = [
      ...(await readdir(join(cache, "kernels", profile.id))),
      ...(await readdir(join(cache, "sources"))),
    ];
    expect(left.filter((name) => /partial/.test(name) || /^files-/.test(name))).toHaveLength(1);
    expect((await readdir(join(cache, "packages"))).filter((name) => !name.startsWith("busybox"))).toEqual(
      [],
    );
  },
  15 * MINUTES,
);

test(
  "an object compiles in the prepared folder",
  async () => {
    const profile = await loadProfile(work(), LATEST);
    const variables = Object.entries(profile.makeVariables).map(([name, value]) => `${name}=${value}`);
    await runOk(work(), ["make", "-C", profile.source, `O=${profile.build}`, ...variables, "lib/sort.o"]);
    const strings = await runOk(work(), ["cat", join(profile.build, "include/generated/utsrelease.h")]);
    expect(strings).toContain(`"${profile.release}"`);
  },
  5 * MINUTES,
);

test(
  "without network, what is there is used and what is not is said to be out of reach",
  async () => {
    const offline = await withoutNetwork();
    const known = await loadProfile(work(), LATEST);
    const again = await add(known.id, { offline }).end;
    expect(JSON.parse(again.result ?? "")).toEqual(known);

    const another = (await listDebianKernels(work(), "x86_64")).find((kernel) => kernel.id !== known.id);
    const refused = await add(another?.id ?? "", { offline }).end;
    expect(refused.fault).toMatch(
      /^lacking: cannot download linux-image-\S+ and \d more: .+\|check the network/,
    );

    const empty = await add(LATEST, { offline, cache: join(cache, "empty") }).end;
    expect(empty.fault).toMatch(/^lacking: cannot fetch Debian's package index: .+\|check the network/);
  },
  5 * MINUTES,
);

test(
  "a kernel that nobody has is told in one line",
  async () => {
    const { fault } = await add("debian/6.1.0-99999-amd64").end;
    expect(fault).toMatch(/^bad-input: Debian's archive has no kernel debian\/6.1.0-99999-amd64\|/);
  },
  MINUTES,
);

test.each([
  ["before the index is fetched", "30m", /^lacking: .* MB free, \d+ MB are needed\|make room/],
  ["before the packages are fetched", "700m", /^lacking: .* MB free, \d+ MB are needed\|make room/],
])(
  "a full disk %s is told in one line",
  async (_, size, message) => {
    const disk = join(cache, "small-disk");
    await mkdir(disk, { recursive: true });
    const mounted = [
    "unshare", "--mount", ...MAPPED, "sh", "-c",
    'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"', "sh", size, disk,
  ] as const; // biome-ignore format: one command
    const { fault } = await add(LATEST, { offline: mounted, cache: disk }).end;
    expect(fault).toMatch(message);
  },
  MINUTES,
);

test(
  "the archive's kernels are listed, newest source first, each with its source",
  async () => {
    const kernels = await listDebianKernels(work(), "x86_64");
    expect(kernels.map((kernel) => kernel.id)).toContain((await loadProfile(work(), LATEST)).id);
    for (const [at, kernel] of kernels.entries()) {
      const next = kernels[at + 1];
      if (!next) continue;
      const { status } = await run(work(), [
      "dpkg", "--compare-versions", kernel.sourceVersion, "ge", next.sourceVersion,
    ]); // biome-ignore format: one command
      expect(status, `${kernel.sourceVersion} before ${next.sourceVersion}`).toBe(0);
    }
    const pair = await newestPair(work(), "x86_64");
    if (pair) expect(pair.older.sourcePackage).toBe(pair.newer.sourcePackage);
  },
  MINUTES,
);

test(
  "removal leaves neither the profile nor its source",
  async () => {
    const profile = await loadProfile(work(), LATEST);
    await removeProfile(work(), profile.id);
    expect(await listProfiles(cache)).toEqual([]);
    expect(existsSync(profile.source)).toBe(false);
  },
  2 * MINUTES,
);

interface Addition {
  readonly process: ChildProcess;
  /** Resolves when a line of progress contains the text. */
  reaches(text: string): Promise<void>;
  /** The profile as JSON, or the fault as `code: message|remedy`; neither when it was killed. */
  readonly end: Promise<{ readonly result?: string; readonly fault?: string }>;
}

function add(
  id: string,
  options: { readonly offline?: readonly string[]; readonly cache?: string } = {},
): Addition {
  const script = `
    const { addProfile } = await import(process.argv[1]);
    const work = { signal: new AbortController().signal, cache: process.argv[2], progress: (step) => console.log(step) };
    await addProfile(work, process.argv[3]).then(
      (profile) => console.log("RESULT " + JSON.stringify(profile)),
      (error) => console.log("FAULT " + error.code + ": " + error.message + "|" + error.remedy));`;
  const node = [process.execPath, "--input-type=module", "--eval", script, STORE, options.cache ?? cache, id];
  const [program = "", ...rest] = [...(options.offline ?? []), ...node];
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    printed += text;
  });
  const closed = once(child, "close");
  const taken = (word: string) => new RegExp(`^${word} (.*)$`, "m").exec(printed)?.[1];
  return {
    process: child,
    reaches: async (text) => {
      while (!printed.includes(text)) {
        if (child.exitCode !== null) throw new Error(`it ended before '${text}':\n${printed}`);
        await setTimeout(20);
      }
    },
    end: closed.then(() => {
      const [result, fault] = [taken("RESULT"), taken("FAULT")];
      return { ...(result === undefined ? {} : { result }), ...(fault === undefined ? {} : { fault }) };
    }),
  };
}

/** The words before a command that take its network away. */
async function withoutNetwork(): Promise<readonly string[]> {
  const words = ["unshare", ...MAPPED, "--net"] as const;
  const { status, stderr } = await run(work(), [...words, "true"]);
  if (status !== 0) throw new Error(`this machine does not let us take the network away: ${stderr}`);
  return words;
}

async function expectWhole(profile: KernelProfile): Promise<void> {
  const paths = [profile.image, profile.config, profile.moduleSymvers, profile.symbolTable, profile.busybox];
  for (const path of [...paths, join(profile.modules, "modules.dep"), join(profile.source, "Makefile")]) {
    expect(existsSync(path), path).toBe(true);
  }
  expect(profile.configDrift).toEqual([]);
}
