import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeView } from "./view.js";

let top: string;
let tree: string;
let view: string;

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), "view-")));
  tree = join(top, "tree");
  view = join(top, "view");
  for (const path of ["fs/ext4/a.c", "fs/ext4/a.h", "fs/jbd2/j.h", "include/linux/x.h", "mm/m.c"]) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), `old ${path}`);
  }
});

afterEach(() => rmSync(top, { recursive: true }));

function read(path: string): string {
  return readFileSync(`${view}/${path}`, "utf8");
}

test("changed files are real, their siblings links into the tree", () => {
  makeView(tree, view, new Map([["fs/ext4/a.c", Buffer.from("new")]]));
  expect(read("fs/ext4/a.c")).toBe("new");
  expect(read("fs/ext4/a.h")).toBe("old fs/ext4/a.h");
  expect(lstatSync(join(view, "fs/ext4/a.h")).isSymbolicLink()).toBe(true);
  expect(lstatSync(join(view, "fs/jbd2")).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(tree, "fs/ext4/a.c"), "utf8")).toBe("old fs/ext4/a.c");
});

test("a changed file is also found through '..' from folders that are asked to be real", () => {
  const changed = new Map([["include/linux/x.h", Buffer.from("new")]]);
  makeView(tree, view, changed, ["fs/ext4/../jbd2/j.h"]);
  expect(read("fs/ext4/../../include/linux/x.h")).toBe("new");
  expect(read("fs/jbd2/../ext4/../../include/linux/x.h")).toBe("new");
  expect(lstatSync(join(view, "mm")).isSymbolicLink()).toBe(true);
});

test("without asking, '..' from a linked folder leads into the pristine tree", () => {
  makeView(tree, view, new Map([["include/linux/x.h", Buffer.from("new")]]));
  expect(read("fs/ext4/../../include/linux/x.h")).toBe("old include/linux/x.h");
});

test("new files may have new folders; deleted files are not there", () => {
  makeView(
    tree,
    view,
    new Map([
      ["fs/new/deep/n.h", Buffer.from("new")],
      ["fs/ext4/a.h", undefined],
    ]),
  );
  expect(read("fs/new/deep/n.h")).toBe("new");
  expect(() => lstatSync(join(view, "fs/ext4/a.h"))).toThrow(/ENOENT/);
  expect(read("fs/ext4/a.c")).toBe("old fs/ext4/a.c");
});
