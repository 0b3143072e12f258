// Packs the extension with the command and its server inside: `npm run package -- [linux-x64|linux-arm64|universal…]`, by
// default all. The first two carry the grammar as machine code beside the WASM build, which universal has alone.
import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { bundled } from "../../tools/bundle.mjs";
import bundle from "./bundle.mjs";
import { vsixOf } from "./vsix.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const extension = join(root, "extension");
const build = join(extension, "build");
const manifest = createRequire(import.meta.url)("../package.json");

/** What of the repository is packed, by the place in `node_modules` where the server looks for it. */
const CONTENT = {
  "@kernel-hotpatch/server": ["server", ["package.json", "bin"]],
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
  diff: ["node_modules/diff", ["package.json", "LICENSE", "libesm"]],
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
const [server] = await Promise.all([bundled(), bundle()]);
await mkdir(build, { recursive: true });
for (const target of wanted.length > 0 ? wanted : Object.keys(TARGETS)) await pack(target, TARGETS[target]);

async function pack(target, architecture) {
  // Everything is bundled: nothing is to be installed.
  const { devDependencies: _, scripts: __, private: ___, ...shipped } = manifest;
  const files = {
    "package.json": Buffer.from(`${JSON.stringify(shipped, null, 2)}\n`),
    "README.md": await readFile(join(extension, "README.md")),
    "CHANGELOG.md": await readFile(join(root, "CHANGELOG.md")),
    "LICENSE.txt": await readFile(join(root, "LICENSE")),
    ...(await filesIn(join(extension, "media"), "media")),
    ...(await filesIn(join(extension, "out"), "out")),
  };
  const modules = "hotpatch/node_modules";
  for (const { path, contents } of server)
    files[join(modules, "@kernel-hotpatch", relative(root, path))] = contents;
  for (const [name, [from, paths]] of Object.entries({ ...CONTENT, ...(architecture && RUNTIME) }))
    for (const path of paths)
      Object.assign(files, await filesIn(join(root, from, path), join(modules, name, path)));
  if (architecture)
    for (const [path, binary] of await nativeFiles(architecture))
      files[join(modules, path)] = await readFile(binary);
  const path = join(build, `${manifest.name}-${target}.vsix`);
  // Whole at any moment: somebody may be installing it.
  await writeFile(`${path}.${process.pid}`, vsixOf(shipped, files, architecture && target));
  await rename(`${path}.${process.pid}`, path);
  console.log(path);
}

/** What a file or folder holds, without what only developers and tests look at, by the paths that it is packed under. */
async function filesIn(from, to) {
  if (/\.(map|tsbuildinfo)$|\.d\.[cm]?ts$|\.test\.js$|\/fixtures$/.test(from)) return {};
  if (!(await stat(from)).isDirectory()) return { [to]: await readFile(from) };
  const names = (await readdir(from)).sort();
  const inside = await Promise.all(names.map((name) => filesIn(join(from, name), join(to, name))));
  return Object.assign({}, ...inside);
}

/** Pairs of a place in `node_modules` and the file that goes there. */
async function nativeFiles(architecture) {
  const grammar = join("tree-sitter-kernel-c/prebuilds", `linux-${architecture}`, GRAMMAR);
  const modules = join(root, "node_modules");
  if (architecture === process.arch)
    return [
      [join("tree-sitter", NATIVE), join(modules, "tree-sitter", NATIVE)],
      [grammar, join(root, "grammars/build/Release", GRAMMAR)],
    ];
  const prebuilt = join("tree-sitter/prebuilds", `linux-${architecture}`);
  const [name] = await readdir(join(modules, prebuilt));
  const compiled = join(build, architecture, GRAMMAR);
  await mkdir(dirname(compiled), { recursive: true });
  crossCompile(architecture, compiled);
  return [
    [join(prebuilt, name), join(modules, prebuilt, name)],
    [grammar, compiled],
  ];
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
  if (architecture === "arm64")
    console.error("Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross");
  process.exit(3);
}
