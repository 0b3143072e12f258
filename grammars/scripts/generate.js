// Generates src/parser.c from grammar.js, or with --check says whether it is current.
// The generator is TREE_SITTER, or `tree-sitter` in PATH. Exit status: 0 fine, 1 not current, 3 no generator.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const generator = process.env.TREE_SITTER ?? "tree-sitter";
const generated = ["src/parser.c", "src/grammar.json", "src/node-types.json"];

if (spawnSync(generator, ["--version"]).status !== 0) {
  console.error(
    `generate: no generator: set TREE_SITTER to a tree-sitter 0.26 program (${generator} does not run)`,
  );
  process.exit(3);
}
if (!process.argv.includes("--check")) {
  process.exit(spawnSync(generator, ["generate"], { cwd: root, stdio: "inherit" }).status ?? 4);
}

// Node finds tree-sitter-c from the copy as it does from here.
const copy = mkdtempSync(join(tmpdir(), "kernel-c-"));
try {
  for (const name of ["grammar.js", "tree-sitter.json", "package.json"])
    cpSync(join(root, name), join(copy, name));
  const modules = fileURLToPath(new URL("..", import.meta.resolve("tree-sitter-c/grammar.js")));
  symlinkSync(modules, join(copy, "node_modules"));
  const run = spawnSync(generator, ["generate"], { cwd: copy, stdio: "inherit" });
  if (run.status !== 0) process.exit(4);
  const stale = generated.filter(
    (name) => readFileSync(join(copy, name), "utf8") !== readFileSync(join(root, name), "utf8"),
  );
  for (const name of stale) console.error(`generate: grammars/${name} is not what grammar.js generates`);
  process.exit(stale.length > 0 ? 1 : 0);
} finally {
  rmSync(copy, { recursive: true, force: true });
}
