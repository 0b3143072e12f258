import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { expect, test } from "vitest";
import { differenceOf } from "./difference.js";
import { type Complaint, missingFiles } from "./missing-files.js";

const change = (path: string, before: string | undefined, after: string): FileChange => ({
  path,
  ...(before !== undefined && { before: Buffer.from(before) }),
  after: Buffer.from(after),
});

const difference = differenceOf([
  change("net/user.c", "int a;\n", "int a = helper(1);\n"),
  change("include/net/helper.h", "int other(void);\n", "int other(void);\nint helper(int);\n"),
  change("include/unread/helper.h", "", "int helper(int);\n"),
  change("net/helper.c", "int x;\n", "int x;\nint helper(int a)\n{\n\treturn a;\n}\n"),
  change("net/caller.c", "int x;\n", "int x = helper(2);\n"),
  change("include/net/args.h", "int args(int);\n", "int args(int, int);\n"),
  change("include/net/new.h", undefined, "#define NEW 1\n"),
  change("include/net/macro.h", "#define WRAP(x) x\n", "#define WRAP(x) wrapped(x)\n"),
]);
const isRead = (path: string) => !path.startsWith("include/unread/");
const uncompiled = (message: string, rest: Partial<Complaint> = {}): Complaint => ({
  rule: "does-not-compile",
  message,
  ...rest,
});
const found = (complaint: Complaint, group: readonly string[] = ["net/user.c"]) =>
  missingFiles(difference, new Set(group), [complaint], isRead);

test("a header that the group reads and that declares the name", () => {
  expect(found(uncompiled("implicit declaration of function 'helper'"))).toEqual(["include/net/helper.h"]);
});

test("a header that declares it otherwise", () => {
  expect(found(uncompiled("too many arguments to function 'args'"))).toEqual(["include/net/args.h"]);
});

test("a header that the compiler's note names", () => {
  const detail =
    "net/user.c:1:5: error: conflicting types for 'other'\n    1 | int other(int a)\ninclude/net/args.h:1:5: note: previous declaration of 'other'\n";
  expect(found(uncompiled("conflicting types for 'other'", { detail }))).toEqual(["include/net/args.h"]);
});

test("what a declaration has unchanged is no reason", () => {
  expect(found(uncompiled("'other' undeclared"))).toEqual([]);
});

test("a header that is not there yet", () => {
  expect(found(uncompiled("net/new.h: No such file or directory"))).toEqual(["include/net/new.h"]);
});

test("a changed file that the group's headers break", () => {
  const message = "too few arguments to function 'args'";
  expect(found(uncompiled(message, { file: "net/caller.c" }), ["include/net/args.h"])).toEqual([
    "net/caller.c",
  ]);
});

test("the file that defines a symbol, not those that use it", () => {
  const missing = { rule: "unresolved-symbol", symbol: "helper", message: "the patched code uses 'helper'" };
  expect(found(missing)).toEqual(["net/helper.c"]);
});

test("names in the compiler's excerpt, when it quotes none that helps", () => {
  const detail = "net/user.c:1:1: error: expected ';'\n    1 | int a = WRAP(1)\n";
  expect(found(uncompiled("expected ';' before 'int'", { detail }))).toEqual(["include/net/macro.h"]);
});

test("nothing twice", () => {
  const group = ["net/user.c", "include/net/helper.h"];
  expect(found(uncompiled("implicit declaration of function 'helper'"), group)).toEqual([]);
});
