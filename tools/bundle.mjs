// Bundles the compiled server: two hundred modules, each looked up by itself, take longer to start.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** What is not JavaScript alone, or finds files by where it lies. */
const APART = ["tree-sitter", "tree-sitter-kernel-c", "web-tree-sitter"];
/** Rooms of the kernel package that only compute: `hotpatch objdiff` needs nothing else of it. */
const COMPUTES = /^(elf|dwarf|objdiff)\//;

/** Every other module of the kernel package stays where it is, and there is one of each. */
const kernelApart = {
  name: "kernel-apart",
  setup({ onResolve }) {
    const prefix = "@kernel-hotpatch/kernel/";
    const kept = (room) => (COMPUTES.test(room) ? undefined : { path: `${prefix}${room}`, external: true });
    onResolve({ filter: /^@kernel-hotpatch\/kernel\// }, ({ path }) => kept(path.slice(prefix.length)));
    const compiled = fileURLToPath(new URL("../kernel/dist", import.meta.url));
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const room = relative(compiled, join(resolveDir, path)).replace(/\.js$/, "");
      return room.startsWith("..") ? undefined : kept(room);
    });
  },
};

const COMMON = {
  write: false,
  absWorkingDir: fileURLToPath(new URL("../server/dist", import.meta.url)),
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
};

export default async function bundle() {
  const files = await Promise.all([bundled(), bundledAction()]);
  for (const { path, contents } of files.flat()) if (!holds(path, contents)) replace(path, contents);
}

/** @returns the files as they would be written: the folder may hold older ones, too, that somebody runs from */
export async function bundled() {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: ["cli/main.js", "review/source-worker.js", "../../kernel/dist/objdiff/diff-objects.js"],
    // As deep as what is bundled, which finds its files by relative paths.
    outdir: "bundle",
    entryNames: "[name]",
    splitting: true,
    external: APART,
    plugins: [kernelApart],
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
  });
  return outputFiles;
}

/** One file, which runs where nothing is installed: the GitHub Action. */
async function bundledAction() {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: ["bot/action.js"],
    // As deep as what is bundled, which reads its version from `server/package.json`.
    outfile: "action/action.mjs",
  });
  return outputFiles;
}

function holds(path, contents) {
  try {
    return readFileSync(path).equals(contents);
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  }
}

/** Whole at any moment: somebody may be running from it. */
function replace(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  const made = `${path}.${process.pid}`;
  writeFileSync(made, contents);
  renameSync(made, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
