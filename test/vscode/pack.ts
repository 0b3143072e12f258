import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { program } from "./program.js";

/** What an editor under test is given. */
export interface Packed {
  /** The extension, as it is shipped. */
  readonly vsix: string;
  /** The bundled suites, a module with `run()`. */
  readonly suites: string;
  /** An extension that does nothing: editors run tests for one that is being developed. */
  readonly host: string;
}

/** The repository: compiled tests lie one folder deeper. */
const ROOT = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "../.." : "../../..", import.meta.url));

/** Packs the extension and bundles the suites. */
export async function packExtension(): Promise<Packed> {
  const out = join(ROOT, "test/vscode/out");
  const host = join(out, "host");
  await mkdir(host, { recursive: true });
  const manifest = {
    name: "test-host",
    publisher: "kernel-hotpatch",
    version: "0.0.1",
    engines: { vscode: "*" },
  };
  await writeFile(join(host, "package.json"), JSON.stringify(manifest));
  const suites = join(out, "suites.cjs");
  await build({
    entryPoints: [join(ROOT, "test/vscode/suites/run.ts")],
    outfile: suites,
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    external: ["vscode", "mocha"],
    sourcemap: "inline",
    logLevel: "warning",
  });
  const target = `linux-${process.arch}`;
  await program([process.execPath, join(ROOT, "extension/scripts/package.mjs"), target]);
  const vsix = join(ROOT, `extension/build/kernel-hotpatch-${target}.vsix`);
  if (!existsSync(vsix)) throw new Error(`${vsix} was not made`);
  return { vsix, suites, host };
}
