// Bundles the extension: what activates by itself, so that it is small, and all else.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export default async function bundle() {
  await build({
    absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
    entryPoints: ["src/extension.ts", "src/session.ts", "src/language-client.ts"],
    outdir: "out",
    bundle: true,
    // Each is loaded by `require`.
    format: "cjs",
    platform: "node",
    target: "node20",
    external: ["vscode", "./session.js", "./language-client.js"],
    // What is read before anything else can happen.
    minify: true,
    keepNames: true,
    sourcemap: true,
    logLevel: "warning",
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
