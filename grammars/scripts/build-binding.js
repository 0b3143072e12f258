// npm runs this at installation: compiles the native binding. Where that cannot be done, the WASM build of the same
// grammar serves, so a failure is told and is no error.
import { spawnSync } from "node:child_process";

const { status, error } = spawnSync("node-gyp", ["rebuild"], {
  stdio: "inherit",
  shell: process.platform === "win32",
});
if (status !== 0)
  console.error(
    `tree-sitter-kernel-c: no native binding (${error?.message ?? `node-gyp ended with status ${status}`}); WASM is used`,
  );
