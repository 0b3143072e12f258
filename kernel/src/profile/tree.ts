import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from "node:fs";
import { copyFile, lstat, mkdir, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { runConfinedOk } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import { runOk } from "../host/run.js";
import { checkpoint, type Work } from "../host/work.js";
import { parseConfig } from "./config.js";
import type { KernelParts } from "./parts.js";
import type { Arch } from "./profile.js";

/**
 * Takes a snapshot of a person's own, completely built kernel tree; the tree itself is only read. Of a git
 * repository the commit HEAD is taken, of other trees all files but what the build made.
 * @param tree absolute path
 * @param folder the profile's own; everything is put in it
 * @throws Fault `bad-input` naming all that the tree lacks and how to make it
 */
export async function snapshotTree(
  work: Work,
  tree: string,
  folder: string,
): Promise<Omit<KernelParts, "busybox">> {
  const built = await inspectTree(tree);
  const config = join(folder, "config");
  const moduleSymvers = join(folder, "Module.symvers");
  const image = join(folder, basename(built.image));
  await copyFile(built.config, config);
  await copyFile(built.moduleSymvers, moduleSymvers);
  await copyFile(built.image, image);
  const modules = await copyModules(work, built, folder);

  const source = join(folder, "source");
  const commit = await headCommit(work, tree);
  work.progress(`copying the source of ${tree}`);
  if (commit === undefined) await copySource(work, tree, built.arch, source);
  else await exportCommit(work, tree, commit, folder, source);
  await dropEscapingLinks(work, source);
  return {
    arch: built.arch,
    release: built.release,
    image,
    config,
    moduleSymvers,
    source,
    modules,
    origin: commit ?? `copy of ${tree}`,
  };
}

/**
 * Tells two states of a tree apart, cheaply.
 * @returns undefined where it cannot be told: only of a git repository is the source's state known without reading it
 * @throws Fault as {@link snapshotTree}
 */
export async function treeState(work: Work, tree: string): Promise<string | undefined> {
  const built = await inspectTree(tree);
  const commit = await headCommit(work, tree);
  if (commit === undefined) return undefined;
  const hash = createHash("sha256").update(commit);
  for (const path of [built.config, built.moduleSymvers, built.image, ...built.modules]) {
    const { size, mtimeMs } = await stat(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

interface BuiltTree {
  readonly tree: string;
  readonly arch: Arch;
  readonly release: string;
  readonly config: string;
  readonly moduleSymvers: string;
  readonly image: string;
  /** Paths of the `.ko` files. */
  readonly modules: readonly string[];
}

/** Where `make` leaves the bootable image (Documentation/kbuild/kbuild.rst; arch/x86 and arch/arm64 Makefiles). */
const IMAGES: Record<Arch, readonly string[]> = {
  x86_64: ["arch/x86/boot/bzImage"],
  arm64: ["arch/arm64/boot/Image.gz", "arch/arm64/boot/Image"],
};

async function inspectTree(tree: string): Promise<BuiltTree> {
  const root = await realpath(tree).catch(() => undefined);
  const isTree =
    root !== undefined &&
    ["Kconfig", "Makefile", "scripts/Makefile.build"].every((name) => existsSync(join(root, name)));
  if (root === undefined || !isTree) throw new Fault("bad-input", `${tree} is not the root of a kernel tree`);

  const lacking: string[] = [];
  const find = async (what: string, how: string, candidates: readonly string[]): Promise<string> => {
    for (const name of candidates) {
      const path = await realpath(join(root, name)).catch(() => undefined);
      // A link to somewhere else is as good as nothing: what is outside the tree is not ours to read.
      if (path?.startsWith(`${root}/`) && (await stat(path)).isFile()) return path;
    }
    lacking.push(`${what} (${how})`);
    return "";
  };
  const config = await find(".config", "make olddefconfig", [".config"]);
  const releaseFile = await find("include/config/kernel.release", "make prepare", [
    "include/config/kernel.release",
  ]);
  const options = config ? parseConfig(await readFile(config, "utf8")) : new Map<string, string>();
  const arch = options.get("CONFIG_ARM64") === "y" ? "arm64" : "x86_64";
  if (config && arch === "x86_64" && options.get("CONFIG_X86_64") !== "y") {
    throw new Fault("bad-input", `${tree} is configured for neither x86_64 nor arm64`);
  }
  if (config && options.get("CONFIG_MODULES") !== "y") {
    throw new Fault("bad-input", `${tree} is configured without loadable modules, which a hot patch is`, {
      remedy: "set CONFIG_MODULES=y and build it again",
    });
  }
  const target = basename(IMAGES[arch][0] ?? "");
  const image = await find(`the image ${target}`, `make ${target}`, IMAGES[arch]);
  const moduleSymvers = await find("Module.symvers", "make modules", ["Module.symvers"]);
  const order = await find("modules.order", "make modules", ["modules.order"]);
  const modules: string[] = [];
  if (order) {
    for (const name of modulesInOrder(await readFile(order, "utf8"))) {
      modules.push(await find(name, "make modules", [name]));
    }
  }
  if (lacking.length > 0) {
    const shown = lacking.length > 4 ? [...lacking.slice(0, 3), `${lacking.length - 3} more`] : lacking;
    throw new Fault("bad-input", `${tree} is not completely built: it lacks ${shown.join(", ")}`, {
      remedy: `run 'make -C ${tree} -j${availableParallelism()}'`,
      detail: lacking.join("\n"),
    });
  }
  const release = (await readFile(releaseFile, "utf8")).trim();
  if (!/^[A-Za-z0-9][\w.+~-]*$/.test(release)) {
    throw new Fault("bad-input", `${releaseFile} holds no release: '${release.slice(0, 80)}'`);
  }
  return { tree: root, arch, release, config, moduleSymvers, image, modules };
}

/**
 * The paths of modules that `modules.order` lists, relative to the tree: written `fs/a.ko`, since 6.4 `fs/a.o`
 * (scripts/Makefile.build, scripts/Makefile.modinst).
 */
export function modulesInOrder(order: string): string[] {
  return order
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/\.o$/, ".ko"));
}

async function copyModules(work: Work, built: BuiltTree, folder: string): Promise<string> {
  const image = join(folder, "image");
  const modules = join(image, "lib/modules", built.release);
  await mkdir(modules, { recursive: true });
  for (const [at, path] of built.modules.entries()) {
    checkpoint(work);
    work.progress("copying modules", at / built.modules.length);
    const target = join(modules, "kernel", path.slice(built.tree.length + 1));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(path, target);
  }
  const lines = built.modules.map((path) => `kernel/${path.slice(built.tree.length + 1)}\n`);
  await writeFile(join(modules, "modules.order"), lines.join(""));
  for (const name of ["modules.builtin", "modules.builtin.modinfo"]) {
    const path = join(built.tree, name);
    if ((await lstat(path).catch(() => undefined))?.isFile()) await copyFile(path, join(modules, name));
  }
  await runOk(work, ["depmod", "--basedir", image, built.release]);
  return modules;
}

/** @returns undefined when `tree` is not the root of a git repository */
async function headCommit(work: Work, tree: string): Promise<string | undefined> {
  if (!existsSync(join(tree, ".git"))) return undefined;
  const commit = await runOk(work, ["git", "-C", tree, "rev-parse", "--verify", "HEAD^{commit}"], {
    failure: { code: "bad-input", message: `git cannot read ${tree}` },
  });
  return commit.trim();
}

/**
 * Writes a commit's files. The repository lends its objects only: its configuration, which could name programs to run,
 * is not read.
 */
async function exportCommit(
  work: Work,
  tree: string,
  commit: string,
  folder: string,
  source: string,
): Promise<void> {
  const objects = await runOk(work, [
    "git",
    "-C",
    tree,
    "rev-parse",
    "--path-format=absolute",
    "--git-path",
    "objects",
  ]);
  const repository = join(folder, "export.git");
  const tar = join(folder, "export.tar");
  await runOk(work, ["git", "init", "--quiet", "--bare", repository]);
  await writeFile(join(repository, "objects/info/alternates"), objects);
  await runOk(work, ["git", "--git-dir", repository, "archive", "--format=tar", "--output", tar, commit]);
  await mkdir(source);
  await runOk(work, ["tar", "--extract", "--no-same-owner", "--file", tar, "--directory", source]);
  await rm(tar);
  await rm(repository, { recursive: true });
}

/** What takes most room of all that a build leaves beside the source; `make mrproper` then takes the rest away. */
const MADE =
  /^\.(git|config.*|tmp_.*|vmlinux.*|.*\.cmd)$|\.(o|ko|a|cmd|mod|mod\.c|dwo)$|^vmlinux(\.o|\.a|\.unstripped)?$|^bzImage$/;

async function copySource(work: Work, tree: string, arch: Arch, source: string): Promise<void> {
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    // Copying at once is several times as fast; a pause between folders keeps us answering.
    await setImmediate();
    checkpoint(work);
    mkdirSync(join(source, folder));
    for (const entry of readdirSync(join(tree, folder), { withFileTypes: true })) {
      const name = join(folder, entry.name);
      if (MADE.test(entry.name)) continue;
      if (entry.isDirectory()) folders.push(name);
      else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(join(tree, name)), join(source, name));
      else if (entry.isFile()) copyFileSync(join(tree, name), join(source, name));
    }
  }
  const confinement = { readable: [], writable: source };
  await runConfinedOk(work, ["make", "-C", source, `ARCH=${arch}`, "mrproper"], confinement, {
    failure: { code: "bad-input", message: `'make mrproper' failed in a copy of ${tree}` },
  });
}

/** Takes away symbolic links that lead out of the snapshot, so that nobody follows them later. */
async function dropEscapingLinks(work: Work, source: string): Promise<void> {
  const root = await realpath(source);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const link of entries.filter((entry) => entry.isSymbolicLink())) {
    const path = join(link.parentPath, link.name);
    const target = await realpath(path).catch(() => undefined);
    if (target === root || target?.startsWith(`${root}/`)) continue;
    work.progress(`leaving out ${path.slice(root.length + 1)}, a link that leads out of the tree or nowhere`);
    await rm(path);
  }
}
