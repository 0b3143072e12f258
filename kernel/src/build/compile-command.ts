import { parse } from "shell-quote";
import { Fault } from "../host/fault.js";

/** What Kbuild wrote down about one object (`scripts/basic/fixdep.c`, `if_changed_dep` in `scripts/Kbuild.include`). */
export interface SavedCommand {
  /** The compiler's own command, word by word. */
  readonly compile: readonly string[];
  /** Arguments of objtool, without the object; absent when the object is not given to it. */
  readonly objtool?: readonly string[];
  /** Every file that the compiler read, as it spelled them. */
  readonly dependencies: readonly string[];
}

/**
 * Reads a `.NAME.o.cmd` file of a build that was made with `objtool=true`.
 * @param text its content
 * @param object the object's path, as in the file; for messages
 * @throws Fault `defect` when its form is not the one we know
 */
export function readCommandFile(text: string, object: string): SavedCommand {
  // `savedcmd_` since Linux 6.3.
  const line = /^(?:saved)?cmd_\S+ := (.*)$/m.exec(text)?.[1];
  if (line === undefined) throw new Fault("defect", `no command in the build's notes on ${object}`);
  // `make-cmd` of scripts/Kbuild.include doubles `$` and hides `#`.
  const [compile = [], ...others] = splitCommands(
    line.replaceAll("$(pound)", "#").replaceAll("$$", "$"),
    object,
  );
  const at = compile.indexOf("-o");
  if (!compile.includes("-c") || compile[at + 1] !== object)
    throw new Fault("defect", `the build made ${object} by a command of unknown form`, { detail: line });
  const objtool = others.find(([program]) => program === "true");
  const unknown = others.filter((words) => words !== objtool);
  if (unknown.length > 0)
    throw new Fault("defect", `the build makes ${object} in more steps than one`, { detail: line });
  return {
    compile,
    ...(objtool && { objtool: objtool.slice(1).filter((word) => word !== object) }),
    dependencies: readDependencies(text),
  };
}

/**
 * Where a compile reads and writes; everything else of a command stays as Kbuild wrote it.
 * @param source replaces the root of the source tree in every word
 */
export function redirectCommand(
  compile: readonly string[],
  places: { from: string; source: string; object: string; dependencies: string },
): [string, ...string[]] {
  const words = compile.map((word, index) => {
    if (compile[index - 1] === "-o") return places.object;
    if (word.startsWith("-Wp,-MMD,") || word.startsWith("-Wp,-MD,"))
      return `${word.slice(0, word.lastIndexOf(",") + 1)}${places.dependencies}`;
    return replaceRoot(word, places.from, places.source);
  });
  const [program, ...rest] = words;
  if (program === undefined) throw new Fault("defect", "an empty compile command");
  return [program, ...rest];
}

/**
 * `vmlinux`, or the name of the module that the unit is part of (`modkern_cflags` in `scripts/Makefile.lib`).
 * @throws Fault `bad-input` when it is part of several modules
 */
export function objectOf(compile: readonly string[]): string {
  if (!compile.includes("-DMODULE")) return "vmlinux";
  const name = compile.map((word) => /^-DKBUILD_MODNAME="?([^"]+)"?$/.exec(word)?.[1]).find(Boolean);
  if (name === undefined) throw new Fault("defect", "a module's compile command does not name the module");
  // Kbuild joins the names when one object is linked into several modules (`modname`, scripts/Makefile.build).
  if (name.includes(":"))
    throw new Fault(
      "bad-input",
      `the code is part of several modules at once: ${name.replaceAll(":", ", ")}`,
    );
  return name.replaceAll("-", "_");
}

/** Reads a dependency file as gcc and gas write it: `target: file file \`, with `\ ` and `$$` escaped. */
export function readDependencyFile(text: string): string[] {
  const [, files = ""] = /^[^:]*:([\s\S]*)$/.exec(text.replaceAll("\\\n", " ").split("\n")[0] ?? "") ?? [];
  return (files.match(/(?:\\.|[^\s\\])+/g) ?? []).map((word) =>
    word.replace(/\\(.)/g, "$1").replaceAll("$$", "$"),
  );
}

function splitCommands(line: string, object: string): string[][] {
  const commands: string[][] = [[]];
  for (const token of parse(line, (name) => `$${name}`)) {
    if (typeof token === "string") commands.at(-1)?.push(token);
    else if ("op" in token && token.op === "glob") commands.at(-1)?.push(token.pattern);
    else if ("op" in token && token.op === ";") commands.push([]);
    else throw new Fault("defect", `the build's command for ${object} needs a shell`, { detail: line });
  }
  return commands.filter((words) => words.length > 0);
}

/** `deps_OBJECT := \` and its lines; `$(wildcard include/config/…)` stand for configuration options. */
function readDependencies(text: string): string[] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith("deps_"));
  const source = lines
    .find((line) => line.startsWith("source_"))
    ?.split(" := ")
    .at(1);
  const files = source === undefined ? [] : [source];
  if (start < 0) return files;
  for (const line of lines.slice(start + 1)) {
    const file = line.replace(/\\$/, "").trim();
    if (file === "") break;
    if (!file.startsWith("$(wildcard")) files.push(file);
  }
  return files;
}

function replaceRoot(word: string, from: string, to: string): string {
  const at = word.indexOf(from);
  const next = word[at + from.length];
  return at < 0 || (next !== undefined && next !== "/" && next !== "=")
    ? word
    : word.slice(0, at) + to + word.slice(at + from.length);
}
