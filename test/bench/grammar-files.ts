import { readSource } from "@kernel-hotpatch/server/syntax/source-text";
import { startClock } from "./grammar-clock.js";
import { type Errors, errorsOf, type Parse, type Parsers } from "./grammar-parsers.js";

/** What one grammar made of a set of files. */
export interface Sum {
  files: number;
  clean: number;
  bytes: number;
  errorBytes: number;
  /** By the wall's clock. */
  seconds: number;
  /** Of the processor, which a busy machine does not stretch. */
  processor: number;
}

export interface Offender {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly ours: Errors;
  readonly plain: Errors;
}

export interface FilesResult {
  readonly ours: Sum;
  readonly plain: Sum;
  readonly offenders: readonly Offender[];
  /** Offenders with more ERROR and MISSING nodes, or more bytes in them, than plain tree-sitter-c has. */
  readonly worse: readonly Offender[];
}

/** Parses every file with both grammars, in turns, so that both meet the same machine. */
export async function measureFiles(parsers: Parsers, paths: readonly string[]): Promise<FilesResult> {
  const ours: Sum = { files: 0, clean: 0, bytes: 0, errorBytes: 0, seconds: 0, processor: 0 };
  const plain: Sum = { ...ours };
  const offenders: Offender[] = [];
  for (const file of paths) {
    const text = await readSource(file);
    const mine = measure(parsers.ours, text, ours);
    const theirs = measure(parsers.plain, text, plain);
    if (mine.count > 0)
      offenders.push({ file, line: mine.line, text: lineOf(text, mine.line), ours: mine, plain: theirs });
    await parsers.rest();
  }
  const worse = offenders.filter((o) => o.ours.count > o.plain.count || o.ours.bytes > o.plain.bytes);
  return { ours, plain, offenders, worse };
}

function measure(parse: Parse, text: string, sum: Sum): Errors {
  const stop = startClock();
  const tree = parse(text);
  const { seconds, processor } = stop();
  sum.seconds += seconds;
  sum.processor += processor;
  const errors = errorsOf(tree);
  sum.files++;
  sum.bytes += text.length;
  sum.errorBytes += errors.bytes;
  if (errors.count === 0) sum.clean++;
  return errors;
}

function lineOf(text: string, line: number): string {
  return (text.split("\n", line).at(-1) ?? "").trim().slice(0, 100);
}
