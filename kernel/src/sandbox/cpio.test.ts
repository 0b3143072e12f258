import { expect, test } from "vitest";
import { run } from "../host/run.js";
import { type CpioEntry, cpioArchive } from "./cpio.js";

const entries: readonly CpioEntry[] = [
  { kind: "directory", path: "dev" },
  { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
  { kind: "file", path: "init", content: Buffer.from("#!/bin/sh\n"), executable: true },
  { kind: "file", path: "odd", content: Buffer.from("12345") },
  { kind: "symlink", path: "link", target: "init" },
];

const work = { signal: new AbortController().signal };

test("cpio reads back names, kinds, modes, sizes and devices", async () => {
  const listing = await run(work, ["cpio", "--list", "--verbose", "--numeric-uid-gid", "--quiet"], {
    input: cpioArchive(entries),
  });
  expect(listing.status, listing.stderr).toBe(0);
  const seen = listing.stdout
    .trim()
    .split("\n")
    .map((line) => line.replace(/\s+/g, " "));
  expect(seen).toEqual([
    "drwxr-xr-x 2 0 0 0 Jan 1 1970 dev",
    "crw------- 1 0 0 5, 1 Jan 1 1970 dev/console",
    "-rwxr-xr-x 1 0 0 10 Jan 1 1970 init",
    "-rw-r--r-- 1 0 0 5 Jan 1 1970 odd",
    "lrwxrwxrwx 1 0 0 4 Jan 1 1970 link -> init",
  ]);
});

test("cpio gives back a file's content", async () => {
  const extracted = await run(work, ["cpio", "--extract", "--to-stdout", "--quiet", "odd"], {
    input: cpioArchive(entries),
  });
  expect(extracted.stdout).toBe("12345");
});

test("the same entries give the same bytes", () => {
  expect(cpioArchive(entries).equals(cpioArchive(structuredClone(entries)))).toBe(true);
});
