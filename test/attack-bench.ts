import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { defaultCache } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { expect } from "vitest";
import { hotpatch } from "./hotpatch.js";
import { privateBench, stockKernel } from "./kernel.js";

/** A patch by somebody who means us harm. */
export interface Attack {
  readonly what: string;
  readonly patch: () => string | Promise<string>;
  readonly status: number;
  /** The one line of our output that says it. */
  readonly says: RegExp;
}

/** A place with a secret at home, in the environment, in standard input; `/etc/passwd` is one as well. */
export interface AttackBench {
  readonly kernel: KernelProfile;
  /** Where hotpatch is started. */
  readonly folder: string;
  /** Path of the file at home. */
  readonly secret: string;
  /** A file that no attack may make. */
  readonly made: string;
  /** A plugin for the compiler; it makes that file when it is loaded. */
  readonly plugin: string;
  /** Runs hotpatch on `attack.patch`: it must end as foreseen, and no secret be in anything that it says or writes. */
  expectContained(args: readonly string[], attack: Attack): Promise<void>;
  remove(): Promise<void>;
}

export async function attackBench(): Promise<AttackBench> {
  const kernel = await stockKernel();
  const { folder, remove } = await privateBench();
  const canary = `canary${randomBytes(8).toString("hex")}`;
  const home = join(folder, "home");
  const [secret, plugin, made] = [join(home, ".secret"), join(home, "plugin.so"), join(folder, "made")];
  mkdirSync(home);
  writeFileSync(secret, `${canary}\n`);
  compilePlugin(plugin, made);
  const env = { HOME: home, GITHUB_TOKEN: canary, XDG_CACHE_HOME: dirname(defaultCache()) };

  async function expectContained(args: readonly string[], { patch, status, says }: Attack): Promise<void> {
    writeFileSync(join(folder, "attack.patch"), await patch(), "latin1");
    const ended = await hotpatch(["--kernel", kernel.id, ...args], { cwd: folder, env, input: canary });
    const output = ended.stdout + ended.stderr;
    expect(ended.status, output).toBe(status);
    expect(
      output.split("\n").filter((line) => says.test(line)),
      output,
    ).toHaveLength(1);
    expect(output).not.toContain("\u001b");
    for (const text of [output, ...filesBelow(join(folder, "out"))]) {
      expect(text).not.toContain(canary);
      expect(text).not.toMatch(/root:[^:\s]*:0:0:/);
    }
    expect(existsSync(made)).toBe(false);
  }
  return { kernel, folder, secret, made, plugin, expectContained, remove };
}

function compilePlugin(path: string, made: string): void {
  const input = `
    #include <stdio.h>
    int plugin_is_GPL_compatible;
    __attribute__((constructor)) void loaded(void) { fopen("${made}", "w"); }
  `;
  expect(spawnSync("gcc", ["-shared", "-fPIC", "-xc", "-o", path, "-"], { input }).status).toBe(0);
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"));
}
