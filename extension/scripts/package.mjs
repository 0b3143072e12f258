// Packs the extension with the command and its server inside: `npm run package -w extension -- [linux-x64|linux-arm64|universal…]`,
// by default all. The first two carry the grammar as machine code beside the WASM build, which universal has alone.
import { spawnSync } from "node:child_process";
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createVSIX } from "@vscode/vsce";
import bundleServer from "../../tools/bundle.mjs";
import bundle from "./bundle.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const extension = join(root, "extension");
const build = join(extension, "build");
const manifest = createRequire(import.meta.url)("../package.json");

/** What of the repository is packed, by the place in `node_modules` where the server looks for it. */
const CONTENT = {
  "@kernel-hotpatch/server": ["server", ["package.json", "bin", "dist/bundle"]],
  "@kernel-hotpatch/docs": ["docs", ["rules"]],
  "@kernel-hotpatch/kernel": ["kernel", ["package.json", "dist", "runtime", "debian-packages.json"]],
  "tree-sitter-kernel-c": [
    "grammars",
    ["package.json", "bindings/node/index.js", "src/node-types.json", "tree-sitter-kernel_c.wasm"],
  ],
  "web-tree-sitter": [
    "node_modules/web-tree-sitter",
    ["package.json", "LICENSE", "web-tree-sitter.js", "web-tree-sitter.wasm"],
  ],
  diff: ["node_modules/diff", ["package.json", "LICENSE", "libcjs", "libesm"]],
  "shell-quote": [
    "node_modules/shell-quote",
    ["package.json", "LICENSE", "index.js", "parse.js", "quote.js"],
  ],
};
const RUNTIME = {
  "tree-sitter": ["node_modules/tree-sitter", ["package.json", "LICENSE", "index.js"]],
  "node-gyp-build": [
    "node_modules/node-gyp-build",
    ["package.json", "LICENSE", "index.js", "node-gyp-build.js"],
  ],
};
const NATIVE = "build/Release/tree_sitter_runtime_binding.node";
const GRAMMAR = "tree_sitter_kernel_c.node";

/** The packages by the name that Visual Studio Code has for each platform; the values are Node's. */
const TARGETS = { "linux-x64": "x64", "linux-arm64": "arm64", universal: undefined };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(TARGETS, name));
if (unknown.length > 0) {
  console.error(`no package '${unknown[0]}': there are ${Object.keys(TARGETS).join(", ")}`);
  process.exit(2);
}
await Promise.all([bundle(), bundleServer()]);
for (const target of wanted.length > 0 ? wanted : Object.keys(TARGETS)) await pack(target, TARGETS[target]);

async function pack(target, architecture) {
  const stage = join(build, target);
  await rm(stage, { recursive: true, force: true });
  await mkdir(stage, { recursive: true });
  for (const name of ["out", "media", "README.md"])
    await cp(join(extension, name), join(stage, name), plain());
  await cp(join(root, "LICENSE"), join(stage, "LICENSE"));
  await cp(join(root, "CHANGELOG.md"), join(stage, "CHANGELOG.md"));
  // Everything is bundled: nothing is to be installed.
  const { devDependencies: _, scripts: __, private: ___, ...shipped } = manifest;
  await writeFile(join(stage, "package.json"), `${JSON.stringify(shipped, null, 2)}\n`);
  const modules = join(stage, "hotpatch/node_modules");
  await copy(modules, CONTENT);
  if (architecture) {
    await copy(modules, RUNTIME);
    await copyNative(modules, architecture);
  }
  // Same input, same bytes.
  process.env.SOURCE_DATE_EPOCH = "946684800";
  const packagePath = join(build, `${manifest.name}-${target}.vsix`);
  await createVSIX({
    cwd: stage,
    packagePath,
    dependencies: false,
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
    ...(architecture && { target }),
  });
}

async function copy(modules, content) {
  for (const [name, [from, paths]] of Object.entries(content))
    for (const path of paths) await cp(join(root, from, path), join(modules, name, path), plain());
}

/** Without what only developers and tests look at. */
function plain() {
  return {
    recursive: true,
    filter: (path) => !/\.(map|tsbuildinfo)$|\.d\.[cm]?ts$|\.test\.js$|\/fixtures$/.test(path),
  };
}

async function copyNative(modules, architecture) {
  const prebuilt = join(modules, "tree-sitter-kernel-c/prebuilds", `linux-${architecture}`);
  await mkdir(prebuilt, { recursive: true });
  if (architecture === process.arch) {
    await cp(join(root, "node_modules/tree-sitter", NATIVE), join(modules, "tree-sitter", NATIVE));
    await cp(join(root, "grammars/build/Release", GRAMMAR), join(prebuilt, GRAMMAR));
    return;
  }
  const own = `prebuilds/linux-${architecture}`;
  await cp(join(root, "node_modules/tree-sitter", own), join(modules, "tree-sitter", own), {
    recursive: true,
  });
  crossCompile(architecture, join(prebuilt, GRAMMAR));
}

/** The grammar is C and small: Debian's cross compiler is all that it takes. */
function crossCompile(architecture, output) {
  const compiler = { arm64: "aarch64-linux-gnu-gcc", x64: "x86_64-linux-gnu-gcc" }[architecture];
  const headers = join(dirname(process.execPath), "../include/node");
  const { status, error, stderr } = spawnSync(
    compiler,
    [
      ...["-shared", "-fPIC", "-O2", "-std=c11", "-s"],
      ...[`-I${headers}`, "-Isrc"],
      ...["bindings/node/binding.c", "src/parser.c", "src/scanner.c", "-o", output],
    ],
    { cwd: join(root, "grammars"), encoding: "utf8" },
  );
  if (status === 0) return;
  console.error(`the grammar cannot be compiled for ${architecture}: ${error?.message ?? stderr}`);
  process.exit(3);
}
