import { expect, test } from "vitest";
import { createProgress } from "./progress.js";

function fakeStream(isTTY: boolean) {
  const written: string[] = [];
  const write = (text: string | Uint8Array) => written.push(String(text)) > 0;
  return { written, stream: { isTTY, columns: 20, write } };
}

test("a terminal gets one line, rewritten, cut to its width and cleared", () => {
  const { written, stream } = fakeStream(true);
  const progress = createProgress(stream, false, () => 0);
  progress.report("fetching the kernel's source", 0.421);
  progress.clear();
  progress.clear();
  expect(written).toEqual(["\r\x1b[K42 % fetching the k", "\r\x1b[K"]);
});

test("the same step is not rewritten more than ten times a second", () => {
  const { written, stream } = fakeStream(true);
  let time = 0;
  const progress = createProgress(stream, false, () => time);
  progress.report("a", 0.1);
  time = 50;
  progress.report("a", 0.2);
  time = 150;
  progress.report("a", 0.3);
  expect(written).toEqual(["\r\x1b[K10 % a", "\r\x1b[K30 % a"]);
});

test("a pipe gets nothing, and with --verbose a line a step", () => {
  const silent = fakeStream(false);
  createProgress(silent.stream, false).report("a");
  expect(silent.written).toEqual([]);

  const verbose = fakeStream(false);
  let time = 0;
  const progress = createProgress(verbose.stream, true, () => time);
  progress.report("compile\x1b[2J", 0.1);
  progress.report("compile\x1b[2J", 0.2);
  time = 12_340;
  progress.report("link");
  expect(verbose.written).toEqual(["    0.0 s  compile\\u001b[2J\n", "   12.3 s  link\n"]);
});
