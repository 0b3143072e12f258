import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Ended, hotpatch, type Start } from "./hotpatch.js";
import { type Bench, meminfoPatch, patchOf, pathWithout, privateBench, stockKernel } from "./kernel.js";

/** Root needs no user namespace, which containers often forbid. */
const MAPPED = process.getuid?.() === 0 ? [] : ["--map-root-user"];
const MINUTES = 60_000;
let kernel: KernelProfile;
let good: string;
let bench: Bench;

beforeAll(async () => {
  kernel = await stockKernel();
  good = await meminfoPatch(kernel);
}, 15 * MINUTES);

beforeEach(async () => {
  bench = await privateBench();
});

afterEach(async () => {
  await bench.remove();
});

/** Runs hotpatch in the bench's folder, on the kernel of these tests. */
function run(args: readonly string[], start: Start = {}): Promise<Ended> {
  return hotpatch(["--kernel", kernel.id, ...args], { cwd: bench.folder, ...start });
}

/** What every refusal must look like: the status, one line that says why, at most a remedy below. */
function expectRefusal({ status: actual, stdout, stderr }: Ended, status: number, message: RegExp): void {
  const lines = stderr.trimEnd().split("\n");
  expect(actual, stderr).toBe(status);
  expect(stdout).toBe("");
  expect(lines[0]).toMatch(/^hotpatch: /);
  expect(lines[0]).toMatch(message);
  expect(lines.length).toBeLessThanOrEqual(2);
  if (lines[1] !== undefined) expect(lines[1]).toMatch(/^ {2}\S/);
}

describe("a patch", () => {
  const cases: readonly [what: string, text: () => string | Buffer, message: RegExp][] = [
    [
      "that does not apply",
      () => good.replaceAll("arch_report_meminfo", "arch_report_moreinfo"),
      /does not apply.*fs\/proc\/meminfo\.c/,
    ],
    [
      "for a file that this kernel lacks",
      () => good.replaceAll("meminfo.c", "nofile.c"),
      /fs\/proc\/nofile\.c: this tree has no such file/,
    ],
    ["that is empty", () => "", /is empty/],
    ["that is no patch", () => "Dear all,\nplease find attached.\n", /holds no change/],
    ["that is binary", () => Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]), /binary/],
    [
      "to a binary file",
      () => `diff --git a/x.bin b/x.bin\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n`,
      /binary file/,
    ],
    ["with CRLF", () => good.replaceAll("\n", "\r\n"), /CRLF/],
    [
      "that leaves the tree",
      () => good.replaceAll("fs/proc/meminfo.c", "../../etc/passwd"),
      /leads out of the tree/,
    ],
    ["with absolute paths", () => good.replaceAll(/[ab]\/fs\/proc/g, "/etc/proc"), /absolute path/],
    [
      "that makes a symbolic link",
      () =>
        "diff --git a/fs/l b/fs/l\nnew file mode 120000\n--- /dev/null\n+++ b/fs/l\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n",
      /symbolic link/,
    ],
    ["that is cut off", () => good.split("\n").slice(0, -4).join("\n"), /cut off|damaged/],
    [
      "whose name is an attack on the terminal",
      () => "diff --git a/\x1b[2J b/\x1b[2J\n--- a/\x1b[2J\n+++ b/\x1b[2J\n@@ -1 +1 @@\n-a\n+b\n",
      /unusual characters/,
    ],
  ];
  test.each(cases)("%s", async (_what, text, message) => {
    writeFileSync(join(bench.folder, "bad.patch"), text());
    const ended = await run(["build", "bad.patch", "-o", "out"], { env: bench.env });
    expectRefusal(ended, 2, message);
    expect(ended.stderr).not.toContain("\x1b");
    expect(existsSync(join(bench.folder, "out"))).toBe(false);
    const left = readdirSync(bench.cache, { recursive: true, withFileTypes: true });
    expect(left.filter((entry) => entry.isFile())).toEqual([]);
  });

  test(
    "that does not compile gives the compiler's words at their line",
    async () => {
      const bad = await patchOf(kernel, "fs/proc/meminfo.c", (text) =>
        text.replace(/^\tarch_report_meminfo\(m\);$/m, "\tarch_report_meminfo(mm);"),
      );
      const line = readFileSync(join(kernel.source, "fs/proc/meminfo.c"), "latin1")
        .split("\n")
        .indexOf("\tarch_report_meminfo(m);");
      writeFileSync(join(bench.folder, "bad.patch"), bad);
      const ended = await run(["review", "bad.patch", "--json"]);
      expect(ended).toMatchObject({ status: 1, stderr: "" });
      expect(JSON.parse(ended.stdout)).toMatchObject({
        verdict: "unsafe",
        findings: expect.arrayContaining([
          expect.objectContaining({
            rule: "does-not-compile",
            witness: "object",
            file: "fs/proc/meminfo.c",
            line: line + 1,
            message: expect.stringContaining("mm"),
          }),
        ]),
      });
    },
    MINUTES,
  );

  test("named wrongly", async () => {
    expectRefusal(
      await run(["build", "none.patch", "-o", "out"]),
      2,
      /cannot read none\.patch: no such file/,
    );
    expectRefusal(await run(["build", ".", "-o", "out"]), 2, /is a folder/);
    expectRefusal(await run(["build", "-o", "out"]), 2, /not in a git repository/);
    expectRefusal(await run(["build", "A..B", "-o", "out"]), 2, /no file A\.\.B/);
  });
});

describe("the command line", () => {
  test.each([
    [["frobnicate"], /unknown command/],
    [["build", "x.patch"], /required option.*--output/],
    [["build", "x.patch", "-o", "out", "--frob"], /unknown option/],
    [["review", "--format", "xml"], /xml.*Allowed choices/],
    [["test", "patch.ko", "--cycles", "0"], /whole number/],
    [["objdiff", "one.o"], /missing required argument/],
    [["rules", "no-such-rule"], /no rule 'no-such-rule'/],
  ] as const)("%j", async (args, message) => {
    const ended = await run(args);
    expect(ended).toMatchObject({ status: 2, stdout: "" });
    expect(ended.stderr.split("\n")[0]).toMatch(/^hotpatch: /);
    expect(ended.stderr).toMatch(message);
  });

  test("a reader that stops reading is no error, a full disk behind standard output is", async () => {
    const shell = (script: string) =>
      hotpatch(["rules"], { through: ["bash", "-o", "pipefail", "-c", script, "bash"] });
    expect(await shell('"$@" | head -c 1')).toMatchObject({ status: 0, stderr: "" });
    expectRefusal(await shell('"$@" > /dev/full'), 3, /no space left/);
  });
});

describe("a kernel", () => {
  test("that nobody knows", async () => {
    expectRefusal(
      await hotpatch(["kernel", "show", "windows"], { env: bench.env }),
      2,
      /'windows' names no kernel/,
    );
    expectRefusal(
      await hotpatch(["kernel", "show", "debian/6.1.0-0-amd64"], { env: bench.env }),
      2,
      /has not been added/,
    );
    expectRefusal(
      await hotpatch(["kernel", "remove", "debian/6.1.0-0-amd64"], { env: bench.env }),
      2,
      /has not been added/,
    );
    expectRefusal(
      await hotpatch(["kernel", "add", `tree:${bench.folder}/none`], { env: bench.env }),
      2,
      /none/,
    );
  });

  test(
    "that the archive lacks",
    async () => {
      expectRefusal(
        await hotpatch(["kernel", "add", "debian/1.0.0-0-amd64"], { env: bench.env }),
        2,
        /no kernel debian\/1\.0\.0-0-amd64/,
      );
    },
    MINUTES,
  );

  test("when none was added", async () => {
    const env = { XDG_CACHE_HOME: join(bench.folder, "empty") };
    expectRefusal(
      await hotpatch(["build", "-", "-o", "out"], { env, input: good, cwd: bench.folder }),
      2,
      /no kernel has been added/,
    );
  });
});

describe("a machine", () => {
  const noNetwork = { through: ["unshare", ...MAPPED, "--net"] };

  test(
    "without network cannot add a kernel",
    async () => {
      const env = { XDG_CACHE_HOME: join(bench.folder, "empty") };
      const ended = await hotpatch(["kernel", "add", "debian/latest-amd64"], { ...noNetwork, env });
      expectRefusal(ended, 3, /cannot fetch/);
    },
    MINUTES,
  );

  test(
    "without network builds and runs on a kernel that was added",
    async () => {
      const ended = await run(["review", "-", "--json"], { ...noNetwork, input: good });
      expect(ended).toMatchObject({ status: 0, stderr: "" });
      expect(JSON.parse(ended.stdout)).toMatchObject({ sandbox: { outcome: "finished" } });
    },
    2 * MINUTES,
  );

  test(
    "without a compiler",
    async () => {
      const PATH = await pathWithout(join(bench.folder, "bin"), /^(?:.*-)?(?:gcc|cc|c89|c99|cpp)(?:-.*)?$/);
      expectRefusal(await run(["build", "-", "-o", "out"], { env: { PATH }, input: good }), 3, /gcc/);
      const doctor = await run(["doctor"], { env: { PATH } });
      expect(doctor.status).toBe(3);
      expect(doctor.stdout).toMatch(/^lacks gcc /m);
      expect(doctor.stdout).toMatch(/apt-get install .*gcc/);
    },
    MINUTES,
  );

  test(
    "without QEMU",
    async () => {
      const PATH = await pathWithout(join(bench.folder, "bin"), /^qemu-/);
      expectRefusal(
        await run(["review", "-"], { env: { PATH }, input: good }),
        3,
        /qemu-system-x86_64 is not installed/,
      );
      const doctor = await run(["doctor"], { env: { PATH } });
      expect(doctor).toMatchObject({
        status: 3,
        stdout: expect.stringMatching(/^lacks qemu-system-x86_64 /m),
      });
    },
    MINUTES,
  );

  test.each(["git", "make", "setpriv", "bwrap", "flock"])(
    "without %s",
    async (program) => {
      const PATH = await pathWithout(join(bench.folder, "bin"), new RegExp(`^${program}$`));
      expectRefusal(
        await run(["build", "-", "-o", "out"], { env: { ...bench.env, PATH }, input: good }),
        3,
        new RegExp(program),
      );
    },
    MINUTES,
  );

  test(
    "whose kernel forbids user namespaces",
    async () => {
      const forbid = "echo 0 > /proc/sys/user/max_user_namespaces";
      const unprivileged = 'exec setpriv --bounding-set=-all --inh-caps=-all "$@"';
      const through = [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-euc",
        `${forbid}; ${unprivileged}`,
        "sh",
      ];
      const build = ["build", "-", "-o", "out"];
      expectRefusal(await run(build, { through, input: good }), 3, /cannot be confined here: bwrap: /);
      expect(await run(["--no-confine", ...build], { through, input: good })).toMatchObject({ status: 0 });
      const doctor = await run(["doctor"], { through });
      expect(doctor).toMatchObject({ status: 3, stdout: expect.stringMatching(/^lacks confinement /m) });
    },
    MINUTES,
  );

  /** Mounts a small disk over a folder, for hotpatch alone. */
  const smallDisk = (size: string, folder: string) => ({
    through: [
      ...["unshare", ...MAPPED, "--mount", "sh", "-euc"],
      'mount -t tmpfs -o "size=$1" tmpfs "$2"; mkdir -p "$2/kernel-hotpatch"; ln -s "$3" "$2/kernel-hotpatch/kernels"; shift 3; exec "$@"',
      ...["sh", size, folder, join(bench.cache, "kernels")],
    ],
  });

  test.each(["64k", "8m"])(
    "with %s of room for the cache",
    async (size) => {
      const disk = join(bench.folder, "disk");
      mkdirSync(disk);
      const ended = await run(["build", "-", "-o", "out"], {
        ...smallDisk(size, disk),
        env: { XDG_CACHE_HOME: disk },
        input: good,
      });
      expectRefusal(ended, 3, /full|no space|free/i);
      expect(existsSync(join(bench.folder, "out"))).toBe(false);
    },
    MINUTES,
  );

  test(
    "with no room for a kernel",
    async () => {
      const disk = join(bench.folder, "disk");
      mkdirSync(disk);
      const env = { XDG_CACHE_HOME: join(disk, "empty") };
      const ended = await hotpatch(["kernel", "add", "debian/latest-amd64"], {
        ...smallDisk("100m", disk),
        env,
      });
      expectRefusal(ended, 3, /full|free/i);
    },
    2 * MINUTES,
  );

  test(
    "with no room for the results",
    async () => {
      const disk = join(bench.folder, "disk");
      mkdirSync(disk);
      const ended = await run(["build", "-", "-o", join(disk, "out")], {
        ...smallDisk("16k", disk),
        input: good,
      });
      expectRefusal(ended, 3, /full/);
    },
    MINUTES,
  );
});

describe("a file", () => {
  test(
    "that is cut off, or is no object at all",
    async () => {
      writeFileSync(join(bench.folder, "fix.patch"), good);
      expect(await run(["build", "fix.patch", "-o", "out"])).toMatchObject({ status: 0 });
      const module = readFileSync(join(bench.folder, "out/patch.ko"));
      const object = readFileSync(join(bench.folder, "out/objects/fs/proc/meminfo.diff.o"));
      for (const share of [0, 0.001, 0.01, 0.5, 0.99]) {
        writeFileSync(join(bench.folder, "cut.ko"), module.subarray(0, module.length * share));
        writeFileSync(join(bench.folder, "cut.o"), object.subarray(0, object.length * share));
        expectRefusal(await run(["test", "cut.ko"]), 2, /cut\.ko/);
        expectRefusal(await run(["objdiff", "cut.o", "out/objects/fs/proc/meminfo.diff.o"]), 2, /cut\.o/);
      }
      expectRefusal(await run(["test", "fix.patch"]), 2, /fix\.patch is not a kernel module/);
      expectRefusal(await run(["test", "none.ko"]), 2, /cannot read none\.ko/);
      expectRefusal(await run(["objdiff", "none.o", "cut.o"]), 2, /cannot read none\.o/);

      const other = kernel.release.replace(/\d(?=-amd64)/, (digit) => String((Number(digit) + 1) % 10));
      const foreign = Buffer.from(
        module.toString("latin1").replace(`vermagic=${kernel.release}`, `vermagic=${other}`),
        "latin1",
      );
      writeFileSync(join(bench.folder, "foreign.ko"), foreign);
      expectRefusal(
        await run(["test", "foreign.ko"]),
        2,
        new RegExp(`built for ${other}, not for ${kernel.release}`),
      );
    },
    2 * MINUTES,
  );

  test("that is a test asking for what there is not", async () => {
    writeFileSync(join(bench.folder, "fix.patch"), good);
    writeFileSync(join(bench.folder, "odd.test.sh"), "# frob: yes\ntrue\n");
    expectRefusal(await run(["review", "fix.patch", "--test", "none.sh"]), 2, /none\.sh/);
    expectRefusal(await run(["review", "fix.patch", "--test", "odd.test.sh"]), 2, /frob/);
  });
});
