import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { runOk } from "../host/run.js";
import { namingFullDisk, requireRoom } from "./room.js";

const work = { signal: new AbortController().signal, cache: tmpdir() };
const full = { code: "lacking", message: `the disk under ${tmpdir()} is full` };

test("a disk that is full when we write is named", async () => {
  await expect(namingFullDisk(work, () => writeFile("/dev/full", "x"))).rejects.toMatchObject(full);
});

test("a disk that is full when a program of ours writes is named", async () => {
  const copy = () => runOk(work, ["cp", "/bin/true", "/dev/full"]);
  await expect(namingFullDisk(work, copy)).rejects.toMatchObject(full);
});

test("other failures stay what they are", async () => {
  const fail = async () => {
    throw new TypeError("ours");
  };
  await expect(namingFullDisk(work, fail)).rejects.toThrow(TypeError);
});

test("room is told in megabytes", async () => {
  await requireRoom(work, 1);
  await expect(requireRoom(work, 1e15)).rejects.toThrow(/has \d+ MB free, 1000000017 MB are needed/);
});
