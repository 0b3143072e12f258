// Makes this clone ready to run: Debian packages, npm packages, compiled TypeScript. Plain Node, since nothing is
// installed yet; quick and silent when nothing is to be done. Exit status 3: the machine lacks something.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const LOCKED = "--locked";
const LACKING = 3;

const major = Number(process.versions.node.split(".")[0]);
if (major < 20) stop(`Node 20 or newer is needed, this is ${process.version}`);

if (missingPackages().length > 0 || npmPackagesAreStale() || nativeParserIsStale()) {
  // Two at once, in two terminals, would install over each other.
  if (!process.argv.includes(LOCKED)) {
    const again = [join(root, "tools"), process.execPath, fileURLToPath(import.meta.url), LOCKED];
    const { status, error } = spawnSync("flock", again, { stdio: "inherit" });
    if (error) stop("flock is not installed: apt-get install util-linux");
    process.exit(status ?? 1);
  }
  installDebianPackages();
  if (npmPackagesAreStale()) {
    perform("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    compileNativeParser(["tree-sitter", "tree-sitter-c", "tree-sitter-kernel-c"]);
  } else if (nativeParserIsStale()) {
    compileNativeParser(["tree-sitter-kernel-c"]);
  }
}
perform(join(root, "node_modules/.bin/tsc"), ["-b"]);
perform(process.execPath, [join(root, "tools/bundle.mjs")]);

function installDebianPackages() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  console.error("These Debian packages are needed and not here:");
  for (const { package: name, why } of missing) console.error(`  ${name.padEnd(24)} ${why}`);
  const names = [...new Set(missing.map((entry) => entry.package))];
  const install = ["apt-get", "install", "--yes", "--no-install-recommends", ...names];
  const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  const may = asRoot.length === 0 || spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0;
  const line = `sudo ${install.join(" ")}`;
  if (!may || !programs().has("apt-get")) stop(`Install them with: ${line}`);

  console.error(`Installing them: ${[...asRoot, ...install].join(" ")}`);
  const apt = (...arguments_) => {
    const [program, ...rest] = [...asRoot, "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", ...arguments_];
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    return spawnSync(program, rest, { stdio: ["ignore", process.stderr, process.stderr], env }).status === 0;
  };
  const done = apt("update") && apt(...install.slice(1));
  const still = missingPackages();
  if (!done || still.length > 0) stop(`They could not be installed. Try: sudo apt-get update && ${line}`);
}

function missingPackages() {
  const entries = JSON.parse(readFileSync(join(root, "kernel/debian-packages.json"), "utf8"));
  const names = [...programs()];
  return entries.filter(({ program, file }) =>
    program === undefined ? !existsSync(file) : !names.some((name) => new RegExp(`^${program}$`).test(name)),
  );
}

function programs() {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => existsSync(folder));
  return new Set(folders.flatMap((folder) => readdirSync(folder)));
}

/** npm writes its own copy of the lock file last, so that a killed installation is stale too. */
function npmPackagesAreStale() {
  const installed = join(root, "node_modules/.package-lock.json");
  return (
    !existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, "package-lock.json")).mtimeMs
  );
}

/** Compiled from an older grammar. One that is not there could not be compiled, and is not tried again. */
function nativeParserIsStale() {
  const grammar = join(root, "grammars");
  const compiled = join(grammar, "build/Release/tree_sitter_kernel_c.node");
  if (!existsSync(compiled)) return false;
  const { mtimeMs } = statSync(compiled);
  const sources = ["parser.c", "scanner.c", "words.h"];
  return sources.some((name) => statSync(join(grammar, "src", name)).mtimeMs > mtimeMs);
}

/** A parser in machine code where it can be compiled; elsewhere the same grammar runs as WASM, at some cost in speed. */
function compileNativeParser(packages) {
  const prefix = join(dirname(process.execPath), "..");
  // Beside Node where its packages put them; node-gyp would fetch them from elsewhere.
  const headers = existsSync(join(prefix, "include/node/node.h")) ? { npm_config_nodedir: prefix } : {};
  const { status } = spawnSync("npm", ["rebuild", ...packages], {
    cwd: root,
    env: { ...process.env, ...headers },
    stdio: ["ignore", "ignore", "ignore"],
  });
  if (status !== 0) console.error("The native parser cannot be compiled here; its WASM build is used.");
}

function perform(program, arguments_) {
  const { status, error } = spawnSync(program, arguments_, {
    cwd: root,
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (error) stop(`cannot start ${program}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function stop(message) {
  console.error(message);
  process.exit(LACKING);
}
