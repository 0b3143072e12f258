import { createReadStream } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Command } from "commander";
import type { Severity } from "../rules/rule.js";
import { cannotRead } from "./cannot-read.js";
import type { Act } from "./command.js";
import { failOnOption } from "./fail-on.js";
import type { Session } from "./session.js";
import { writeWhole } from "./write-whole.js";

interface Options {
  readonly output?: string;
  readonly failOn: Severity;
}

export function addObjdiffCommand(program: Command, act: Act): void {
  program
    .command("objdiff")
    .description("compare two objects of one translation unit, compiled before and after a change")
    .argument("<orig.o>", "compiled before, with -ffunction-sections -fdata-sections")
    .argument("<patched.o>", "compiled after, with the same flags")
    .option("-o, --output <file>", "where to write diff.o: what a hot patch has to carry")
    .addOption(failOnOption())
    .addHelpText("after", "\nExample:\n  hotpatch objdiff meminfo.orig.o meminfo.o -o diff.o")
    .action((orig: string, patched: string, options: Options, command: Command) =>
      act(command, (session) => objdiff(session, orig, patched, options)),
    );
}

async function objdiff(session: Session, orig: string, patched: string, options: Options): Promise<number> {
  // In a process that short, code is optimised for nobody: V8 would spend a third of all time on it.
  setFlagsFromString("--interrupt-budget=1000000");
  const [{ diffObjects, openObject }, { writeElf }, { findingOf }, { reaches }, { renderObjectDiffText }] =
    await Promise.all([
      import("@kernel-hotpatch/kernel/objdiff/diff-objects"),
      import("@kernel-hotpatch/kernel/elf/write"),
      import("../review/finding-of.js"),
      import("../review/verdict.js"),
      import("../render/text.js"),
    ]);
  const { report, carried } = diffObjects(
    openObject(await readObject(orig), orig),
    openObject(await readObject(patched), patched),
  );
  if (carried && options.output !== undefined) await writeWhole(options.output, writeElf(carried));
  const findings = [...report.refusals, ...report.remarks].map((seen) => findingOf(seen, "object"));
  session.report(report, (colors) => renderObjectDiffText(report, findings, colors));
  return reaches(findings, options.failOn) ? 1 : 0;
}

/** Objects of the kernel have some megabytes; of a device there is no end. */
const LARGEST = 256 * 1024 * 1024;

async function readObject(path: string): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > LARGEST) throw new Fault("bad-input", `${path}: larger than 256 MiB, which no object is`);
      pieces.push(piece);
    }
  } catch (error) {
    throw error instanceof Fault ? error : cannotRead(path, error as NodeJS.ErrnoException);
  }
  return Buffer.concat(pieces, size);
}
