import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Confinement, runConfined } from "./confined.js";
import { run } from "./run.js";

const CANARY = "canary-5f1c";
const work = { signal: new AbortController().signal };
let folder = "";

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "confined-")));
  await writeFile(join(folder, "secret"), CANARY);
  process.env.CONFINED_TEST_TOKEN = CANARY;
});
afterEach(async () => {
  delete process.env.CONFINED_TEST_TOKEN;
  await rm(folder, { recursive: true });
});

/** A script that stands for all that hostile code can do in a program. */
function sh(script: string, confinement: Partial<Confinement> = {}, signal = work.signal) {
  return runConfined({ signal }, ["bash", "-c", script], { readable: [], ...confinement });
}

test("neither the environment nor files beside the system's are seen", async () => {
  const { stdout } = await sh(`env; cat ${folder}/secret; echo /etc/* /proc/*`);
  const variables = stdout.split("\n").flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? []);
  expect(variables.sort()).toEqual(["LC_ALL", "PATH", "PWD", "SHLVL", "TZ", "_"]);
  expect(stdout).not.toContain(CANARY);
  expect(stdout).toContain("/etc/alternatives /etc/ld.so.cache /proc/*");
});

test("what is named is read, and written where that was said", async () => {
  const [readable, writable] = await Promise.all(["r", "w"].map((name) => mkdtemp(join(folder, name))));
  const confinement = { readable: [readable ?? ""], writable: writable ?? "" };
  await writeFile(join(confinement.writable, "in"), "");
  const told = await sh(
    `for at in ${readable} ${writable} / /dev /usr /etc ${folder} ~; do echo x > $at/out && echo $at; done
     ls ${folder}; echo $TMPDIR`,
    confinement,
  );
  expect(told.stdout.split("\n")).toEqual(
    [writable, writable, ...(await readdir(folder)).filter((name) => name !== "secret"), writable, ""].map(
      String,
    ),
  );
  expect(await readdir(confinement.readable[0] ?? "")).toEqual([]);
});

test("there is no network, not even this machine's own", async () => {
  const server = createServer((socket) => socket.end(CANARY));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const ask = `exec 3<> /dev/tcp/127.0.0.1/${port} && cat <&3`;
  expect((await run(work, ["bash", "-c", ask])).stdout).toBe(CANARY);
  expect((await sh(ask)).stdout).toBe("");
  server.close();
});

test.each([
  ["memory", `perl -e '$x = "a" x 5e9; print "had it"'`, /Out of memory/],
  ["the size of a file", "truncate -s 600M file && echo had it", /File too large|size limit/],
])("%s is bounded", async (_, script, words) => {
  const { stdout, stderr } = await sh(`cd ~; ${script}`, { writable: folder });
  expect(stdout).toBe("");
  expect(stderr).toMatch(words);
});

test("so is the number of processes, except for root", async () => {
  const script = `
    import { runConfined } from ${JSON.stringify(fileURLToPath(new URL("../../dist/host/confined.js", import.meta.url)))};
    const bomb = 'for (1..5000) { $p = fork; die "stopped\\n" unless defined $p; sleep 100 unless $p } print "had it"';
    const work = { signal: new AbortController().signal };
    const { stdout, stderr } = await runConfined(work, ["perl", "-e", bomb], { readable: [] });
    console.log(stdout, stderr);
  `;
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] as const;
  const node = [process.execPath, "--input-type=module", "-e", script] as const;
  const { stdout } = await run(work, process.getuid?.() === 0 ? [...nobody, ...node] : node);
  expect(stdout.trim()).toBe("stopped");
});

test("what was left in the background ends with the program, and all of it when the work is stopped", async () => {
  const running = async (seconds: string) => {
    const lines = await Promise.all(
      (await readdir("/proc"))
        .filter((entry) => /^\d+$/.test(entry))
        .map((pid) => readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")),
    );
    return lines.filter((line) => line === `sleep\0${seconds}\0`).length;
  };
  await sh("setsid sleep 871.5 > /dev/null 2>&1 & sleep 0.2; echo started");
  await expect.poll(() => running("871.5")).toBe(0);

  const stop = new AbortController();
  const ended = sh("setsid sleep 872.5 & sleep 872.5", {}, stop.signal);
  await expect.poll(() => running("872.5")).toBe(2);
  stop.abort();
  await expect(ended).rejects.toMatchObject({ code: "interrupted" });
  await expect.poll(() => running("872.5")).toBe(0);
});

test("a program that is not there, and one that speaks like bubblewrap", async () => {
  await expect(runConfined(work, ["no-such-program"], { readable: [] })).rejects.toMatchObject({
    code: "lacking",
    message: "no-such-program is not installed",
  });
  expect(await sh("echo bwrap: No permissions >&2; exit 1")).toMatchObject({ status: 1 });
});
