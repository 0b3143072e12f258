import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { defaultCache } from "@kernel-hotpatch/kernel/host/work";
import { program } from "./program.js";

/** The workbench, server and extension host of VS Code 1.100, as npm has them; the last that runs on Node 20. */
const VERSION = "4.100.3";
const INTEGRITY =
  "sha512-q/Fh2DOxCRNhC/WiG/6sAhSKnj7ZACTVBaeeZ+rWjol//0FCbl/qg1ln5ecZ99jYcfqMxZZAyWcN+YBIo0DgpA==";

/** Why there is no VS Code to run suites in. */
export class NotFetched extends Error {}

/**
 * VS Code's own server, fetched once and kept in the cache.
 * @returns its folder
 * @throws NotFetched where there is no network
 */
export async function vscodeServer(): Promise<string> {
  const cache = join(defaultCache(), "vscode");
  const folder = join(cache, VERSION);
  const server = join(folder, "package/lib/vscode");
  if (existsSync(folder)) return server;
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, "making-"));
  try {
    await fetch(["npm", "pack", `code-server@${VERSION}`, "--silent"], making);
    const archive = join(making, `code-server-${VERSION}.tgz`);
    const found = `sha512-${createHash("sha512")
      .update(await readFile(archive))
      .digest("base64")}`;
    if (found !== INTEGRITY) throw new Error(`code-server ${VERSION} is not what it was: ${found}`);
    await program(["tar", "-xzf", archive], { cwd: making });
    await rm(archive);
    // Its shrinkwrap file holds the integrity of all that it needs.
    const inside = join(making, "package/lib/vscode");
    await fetch(["npm", "install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], inside);
    await mkdir(join(inside, "node_modules/@vscode/ripgrep/bin"), { recursive: true });
    const { stdout } = await program(["sh", "-c", "command -v rg"]);
    await symlink(stdout.trim(), join(inside, "node_modules/@vscode/ripgrep/bin/rg"));
    await rename(making, folder).catch((error: unknown) => {
      // Another run was quicker.
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return server;
}

async function fetch(command: readonly string[], cwd: string): Promise<void> {
  try {
    await program(command, { cwd });
  } catch (error) {
    throw new NotFetched(`npm's code-server ${VERSION}, which holds VS Code, cannot be fetched: ${error}`);
  }
}
