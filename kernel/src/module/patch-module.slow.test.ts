import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuildResult } from "../build/build.js";
import { type BuildRequest, buildPatch } from "../build/build-patch.js";
import { defaultCache, type Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { addProfile, listProfiles } from "../profile/store.js";
import { cpioArchive } from "../sandbox/cpio.js";
import { baseSystem } from "../sandbox/initramfs.js";
import { bootGuest } from "../sandbox/qemu.js";
import { signModule } from "./sign-module.js";

/** Modules for a stock kernel, loaded together in one guest; the kernel as in build-patch.slow.test.ts. */
const work: Work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };
let profile: KernelProfile;
let top: string;

beforeAll(async () => {
  const added = (await listProfiles(work.cache)).filter(({ arch }) => arch === "x86_64");
  profile = added.at(-1) ?? (await addProfile(work, "debian/latest-amd64"));
  top = await realpath(await mkdtemp(join(tmpdir(), "patch-module-")));
}, 900_000);

afterAll(() => rm(top, { recursive: true, force: true }));

/** What becomes of files of the tree. */
type Edits = Readonly<Record<string, (text: string) => string>>;

/** A build of what edits of files make of the tree. */
async function build(name: string, edits: Edits, options: Partial<BuildRequest> = {}): Promise<BuildResult> {
  const patches = [{ name: `${name}.patch`, text: await patchText(edits) }];
  return buildPatch(work, profile, { patches, outputDir: join(top, name), ...options });
}

async function patchText(edits: Edits): Promise<Buffer> {
  const texts = await Promise.all(
    Object.entries(edits).map(async ([path, edit]) => {
      const before = await readFile(join(profile.source, path), "latin1");
      const after = edit(before);
      expect(after, `${path} has what the test changes`).not.toBe(before);
      return createTwoFilesPatch(`a/${path}`, `b/${path}`, before, after).replace(/^=+\n/, "");
    }),
  );
  return Buffer.from(texts.join(""), "latin1");
}

/** Lines that a script prints in a guest that has these files; `load NAME` and `unload NAME` wait for the transition. */
async function inGuest(modules: Readonly<Record<string, string>>, script: string): Promise<string[]> {
  const init = `#!/bin/busybox sh
export PATH=/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox --install -s /bin
exec >/dev/$protocol 2>&1
settled() {
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    grep -qs 1 /sys/kernel/livepatch/*/transition || return 0
    sleep 1
  done
  echo stalled
}
load() { insmod /$1.ko && settled; }
unload() { echo 0 >/sys/kernel/livepatch/$1/enabled && settled && rmmod $1; }
${script}
poweroff -n -f
`;
  const entries = await Promise.all(
    Object.entries(modules).map(async ([name, path]) => ({
      kind: "file" as const,
      path: `${name}.ko`,
      content: await readFile(path),
    })),
  );
  const system = baseSystem(await readFile(profile.busybox), Buffer.from(init));
  const guest = await bootGuest(work, {
    ...profile,
    deadline: 120,
    accelerator: "emulation",
    initramfs: cpioArchive([...system, ...entries]),
  });
  expect(guest.console).not.toMatch(/BUG:|WARNING:|Oops/);
  return guest.protocol.toString().trim().split(/\r?\n/);
}

function moduleOf({ module, observations }: BuildResult) {
  if (!module) throw new Error(`no module: ${observations.map(({ message }) => message).join("; ")}`);
  return module;
}

/** One more line in /proc/meminfo or /proc/version. */
const meminfoSays = (word: string) => (text: string) =>
  text.replace(/^\tarch_report_meminfo\(m\);\n/m, `$&\tseq_puts(m, "${word}\\n");\n`);
const versionSays = (word: string) => (text: string) =>
  text.replace(/(version_proc_show[^{]*\{\n)/, `$1\tseq_puts(m, "${word}\\n");\n`);

/** Behind the last #include: marks and callbacks of a patch. */
const withMarks = (header: string, marks: string) => (text: string) =>
  text.replace(/(?:[\s\S]*\n)#include .*\n/, `$&#include ${header}\n${marks}\n`);

describe("names that patches have already", () => {
  const callbacks = (prefix: string) => `
static int before(struct klp_object *obj) { return 0; }
static void after(struct klp_object *obj) { }
${prefix}_PRE_PATCH_CALLBACK(before);
${prefix}_POST_PATCH_CALLBACK(after);
${prefix}_PRE_UNPATCH_CALLBACK(after);
${prefix}_POST_UNPATCH_CALLBACK(after);
`;
  const umask = (prefix: string) => (text: string) =>
    text
      .replace("SYSCALL_DEFINE1(umask,", `${prefix}_SYSCALL_DEFINE1(umask,`)
      .replace("mask = xchg(&current->fs->umask, mask & S_IRWXUGO);", (line) =>
        line.replace("S_IRWXUGO", "S_IRWXU"),
      );
  const expected = {
    functions: [{ name: "__ia32_sys_umask" }, { name: "__x64_sys_umask" }],
    callbacks: [
      { object: "vmlinux", kind: "pre_patch", name: "before" },
      { object: "vmlinux", kind: "post_patch", name: "after" },
      { object: "vmlinux", kind: "pre_unpatch", name: "after" },
      { object: "vmlinux", kind: "post_unpatch", name: "after" },
    ],
  };

  test.each([
    ["KPATCH", '"kpatch-macros.h"'],
    ["KLP", "<linux/livepatch_helpers.h>"],
    ["HOTPATCH", "<hotpatch.h>"],
  ])(
    "%s of %s",
    async (prefix, header) => {
      const built = await build(`names-${prefix}`, {
        "kernel/sys.c": (text) => withMarks(header, callbacks(prefix))(umask(prefix)(text)),
      });
      const module = moduleOf(built);
      expect(module).toMatchObject({ callbacks: expected.callbacks });
      expect(module.functions.map(({ name }) => name).filter((name) => !/_se_/.test(name))).toEqual(
        expected.functions.map(({ name }) => name),
      );
      const lines = await inGuest({ patch: module.path }, "load patch; umask 077; umask; umask 777; umask");
      expect(lines).toEqual(["0000", "0700"]);
    },
    300_000,
  );

  test("a static call through its pointer", async () => {
    const built = await build("static-call", {
      "arch/x86/events/core.c": (text) =>
        text
          .replace("#include <linux/static_call.h>\n", '$&#include "kpatch-macros.h"\n')
          .replace("static_call(x86_pmu_enable)", "KPATCH_STATIC_CALL(x86_pmu_enable)"),
    });
    expect(moduleOf(built).functions).toMatchObject([{ name: "x86_pmu_start" }]);
  }, 300_000);

  test("two callbacks of one kind for one object are refused, with both names", async () => {
    const one = (name: string) =>
      withMarks(
        "<hotpatch.h>",
        `static void ${name}(struct klp_object *obj) { }\nHOTPATCH_POST_PATCH_CALLBACK(${name});`,
      );
    const { module, observations } = await build("two-callbacks", {
      "fs/proc/meminfo.c": one("first"),
      "fs/proc/version.c": one("second"),
    });
    expect(module).toBeUndefined();
    expect(observations).toMatchObject([{ rule: "callback-pairing", severity: "unsafe", symbol: "second" }]);
    expect(observations[0]?.message).toContain("'first' of fs/proc/meminfo.c");
  }, 300_000);
});

describe("several patches", () => {
  test("without --replace they add up; with it the last one takes over", async () => {
    const first = moduleOf(await build("first", { "fs/proc/meminfo.c": meminfoSays("first") }));
    const added = moduleOf(await build("added", { "fs/proc/version.c": versionSays("added") }));
    const all = moduleOf(
      await build("all", { "fs/proc/version.c": versionSays("all") }, { replace: true, name: "all" }),
    );
    const lines = await inGuest(
      { first: first.path, added: added.path, all: all.path },
      `
say() { echo $1: $(grep -o first /proc/meminfo) $(grep -ox 'added\\|all' /proc/version); }
load first; load added; say both
load all; say replaced
cat /sys/kernel/livepatch/*/enabled
rmmod hotpatch_first && rmmod hotpatch_added; echo gone: $?
unload all; say none`,
    );
    expect(lines).toEqual(["both: first added", "replaced: all", "1", "gone: 0", "none:"]);
  }, 600_000);

  test("the kernel minds the states that patches declare", async () => {
    const withState = (version: number) => withMarks("<hotpatch.h>", `HOTPATCH_STATE(0x4007, ${version});`);
    const [two, one] = [
      await build("state-two", {
        "fs/proc/meminfo.c": (text) => withState(2)(meminfoSays("two")(text)),
      }),
      await build("state-one", {
        "fs/proc/version.c": (text) => withState(1)(versionSays("one")(text)),
      }),
    ];
    expect(two.observations).toMatchObject([{ rule: "system-state" }]);
    expect(moduleOf(two).states).toEqual([{ id: 0x4007, version: 2 }]);
    const lines = await inGuest(
      { two: moduleOf(two).path, one: moduleOf(one).path },
      "load two; load one; ls /sys/kernel/livepatch",
    );
    expect(lines).toEqual([expect.stringContaining("Invalid argument"), "hotpatch_state_two"]);
  }, 600_000);

  test("a callback finds its state", async () => {
    const built = await build("state-found", {
      "fs/proc/meminfo.c": withMarks(
        "<hotpatch.h>",
        `HOTPATCH_STATE(5, 3);
static int before(struct klp_object *obj)
{
	struct klp_state *state = hotpatch_state(5);

	return state && state->version == 3 && !hotpatch_previous_state(5) ? 0 : -ENOENT;
}
HOTPATCH_PRE_PATCH_CALLBACK(before);`,
      ),
    });
    expect(await inGuest({ patch: moduleOf(built).path }, "load patch; echo $?")).toEqual(["0"]);
  }, 300_000);
});

test("an export in a namespace is imported from it", async () => {
  const symvers = await readFile(profile.moduleSymvers, "utf8");
  expect(symvers).toMatch(/\tdma_buf_put\tvmlinux\t\S+\tDMA_BUF$/m);
  const built = await build("namespace", {
    "fs/proc/meminfo.c": (text) =>
      withMarks(
        "<linux/dma-buf.h>",
        "",
      )(text.replace("\tarch_report_meminfo(m);\n", "$&\tif (!m->count)\n\t\tdma_buf_put(NULL);\n")),
  });
  const { path } = moduleOf(built);
  expect(execFileSync("/sbin/modinfo", ["-F", "import_ns", path], { encoding: "utf8" })).toBe("DMA_BUF\n");
  expect(await inGuest({ patch: path }, "load patch; echo $?")).toEqual(["0"]);
}, 300_000);

describe("signing", () => {
  const keys = () => {
    const [key, certificate] = [join(top, "key.pem"), join(top, "cert.pem")];
    if (!existsSync(key)) {
      const subject = ["-subj", "/CN=hotpatch test", "-addext", "subjectKeyIdentifier=hash"];
      const files = ["-keyout", key, "-out", certificate];
      execFileSync(
        "openssl",
        [
          "req",
          "-new",
          "-x509",
          "-nodes",
          "-batch",
          "-newkey",
          "rsa:2048",
          "-days",
          "3650",
          ...subject,
          ...files,
        ],
        { stdio: "ignore" },
      );
    }
    return { key, certificate };
  };

  /** What `openssl cms -verify` says about the signature behind a module. */
  async function verify(path: string): Promise<void> {
    const { certificate } = keys();
    const signed = await readFile(path);
    const marker = Buffer.from("~Module signature appended~\n");
    expect(signed.subarray(-marker.length).equals(marker)).toBe(true);
    const description = signed.subarray(-marker.length - 12, -marker.length);
    const end = signed.length - marker.length - 12;
    const start = end - description.readUInt32BE(8);
    const [message, content] = [join(top, "message.der"), join(top, "content")];
    await writeFile(message, signed.subarray(start, end));
    await writeFile(content, signed.subarray(0, start));
    const how = [
      "-binary",
      "-inform",
      "DER",
      "-certfile",
      certificate,
      "-CAfile",
      certificate,
      "-purpose",
      "any",
    ];
    execFileSync(
      "openssl",
      ["cms", "-verify", ...how, "-in", message, "-content", content, "-out", "/dev/null"],
      {
        stdio: "pipe",
      },
    );
  }

  test("a signed module verifies, tells its signer, and loads", async () => {
    const signing = keys();
    const built = moduleOf(
      await build("signed", { "fs/proc/meminfo.c": meminfoSays("signed") }, { signing }),
    );
    await verify(built.path);
    expect(execFileSync("/sbin/modinfo", ["-F", "signer", built.path], { encoding: "utf8" })).toBe(
      "hotpatch test\n",
    );
    const lines = await inGuest({ patch: built.path }, "load patch; grep -o signed /proc/meminfo");
    expect(lines).toEqual(["signed"]);
  }, 300_000);

  test("without the kernel's tool, openssl signs the same content, the same way each time", async () => {
    const plain = moduleOf(await build("plain", { "fs/proc/meminfo.c": meminfoSays("plain") }));
    const [one, two] = [join(top, "one.ko"), join(top, "two.ko")];
    for (const path of [one, two]) {
      await writeFile(path, await readFile(plain.path));
      await signModule(work, { ...profile, build: top }, path, keys());
    }
    await verify(one);
    expect((await readFile(one)).equals(await readFile(two))).toBe(true);
    const lines = await inGuest({ patch: one }, "load patch; grep -o plain /proc/meminfo");
    expect(lines).toEqual(["plain"]);
  }, 300_000);

  test("keys that do not fit are turned away in words", async () => {
    const other = join(top, "other.pem");
    execFileSync("openssl", ["genpkey", "-algorithm", "RSA", "-out", other], { stdio: "ignore" });
    const { certificate } = keys();
    const signing = { key: other, certificate };
    const sign = (key: { key: string; certificate: string }) =>
      build("unsigned", { "fs/proc/meminfo.c": meminfoSays("x") }, { signing: key });
    await expect(sign(signing)).rejects.toThrow(/cannot sign with .*other\.pem/);
    await expect(sign({ key: join(top, "nowhere"), certificate })).rejects.toThrow(/cannot read the key/);
    expect(existsSync(join(top, "unsigned/patch.ko"))).toBe(false);
  }, 300_000);
});

test("the same patch gives the same bytes, whatever folder, cache, umask, language and time zone", async () => {
  // Both have WARN and its file names, strings, static data of call sites, jump labels and alternatives.
  const edits = {
    "kernel/workqueue.c": (text: string) =>
      text.replace(/(\nbool queue_work_on\([^{]*\{\n)/, '$1\tWARN_ONCE(!wq, "no queue\\n");\n'),
    "net/core/dev.c": (text: string) =>
      text.replace(/(\nint netif_rx\([^{]*\{\n)/, '$1\tpr_warn_once("receives in %s\\n", __FILE__);\n'),
  };
  const outputs = (folder: string) =>
    Promise.all(
      ["patch.ko", "patch.provenance.json"].map((name) => readFile(join(top, folder, name), "latin1")),
    );
  const patches = [{ name: "same.patch", text: await patchText(edits) }];
  moduleOf(await buildPatch(work, profile, { patches, outputDir: join(top, "same") }));
  const [module = "", provenance = ""] = await outputs("same");
  for (const place of [top, profile.source, profile.build, work.cache]) {
    expect(module).not.toContain(place);
    expect(provenance).not.toContain(place);
  }
  const [umask, environment] = [process.umask(0o077), { ...process.env }];
  const cache = await mkdtemp(join(top, "another-cache-"));
  try {
    await symlink(join(work.cache, "kernels"), join(cache, "kernels"));
    Object.assign(process.env, {
      TZ: "Asia/Tokyo",
      LANG: "de_DE.UTF-8",
      LC_ALL: "tr_TR.UTF-8",
      TMPDIR: cache,
    });
    const outputDir = join(top, "a/b/c");
    moduleOf(await buildPatch({ ...work, cache }, profile, { patches, outputDir }));
  } finally {
    process.umask(umask);
    for (const name of ["TZ", "LANG", "LC_ALL", "TMPDIR"]) delete process.env[name];
    Object.assign(process.env, environment);
  }
  expect(await outputs("a/b/c")).toEqual([module, provenance]);
}, 900_000);
