// Builds tree-sitter-kernel_c.wasm from the generated sources with npm's @yowasp/clang: a side module as
// web-tree-sitter loads it (dylink.0), its memory and C library being the engine's.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { runLLVM } from "@yowasp/clang";

const root = new URL("..", import.meta.url);
const source = (name) => readFileSync(new URL(`src/${name}`, root));
const headers = Object.fromEntries(
  readdirSync(new URL("src/tree_sitter", root)).map((name) => [name, source(`tree_sitter/${name}`)]),
);
let files = {
  "parser.c": source("parser.c"),
  "scanner.c": source("scanner.c"),
  "words.h": source("words.h"),
  tree_sitter: headers,
};
for (const name of ["parser", "scanner"]) {
  files = await runLLVM(
    [
      "clang",
      "--target=wasm32-wasip1",
      "-fPIC",
      "-fvisibility=hidden",
      "-Os",
      "-std=c11",
      "-I.",
      "-c",
      `${name}.c`,
      "-o",
      `${name}.o`,
    ],
    files,
  );
}
files = await runLLVM(
  [
    "wasm-ld",
    "--no-entry",
    "--shared",
    "--experimental-pic",
    "--allow-undefined",
    "--export=tree_sitter_kernel_c",
    "--strip-all",
    "parser.o",
    "scanner.o",
    "-o",
    "out.wasm",
  ],
  files,
);
writeFileSync(new URL("tree-sitter-kernel_c.wasm", root), files["out.wasm"]);
console.log(`tree-sitter-kernel_c.wasm: ${files["out.wasm"].length} bytes`);
