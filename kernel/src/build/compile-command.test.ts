import { expect, test } from "vitest";
import { objectOf, readCommandFile, readDependencyFile, redirectCommand } from "./compile-command.js";

const COMPILE = `gcc-12 -Wp,-MMD,fs/ext4/.super.o.d -I/src/include -I./include -include /src/include/linux/kconfig.h -fmacro-prefix-map=/src/= -I /src/fs/ext4 -I /source-of-others -DMODULE -DKBUILD_MODNAME='"ext4-x"' -DHASH='$(pound)' -DDOLLAR='$$' -c -o fs/ext4/super.o /src/fs/ext4/super.c`;
const NOTES = `savedcmd_fs/ext4/super.o := ${COMPILE}   ; true --orc --module fs/ext4/super.o

source_fs/ext4/super.o := /src/fs/ext4/super.c

deps_fs/ext4/super.o := \\
    $(wildcard include/config/SMP) \\
  /src/fs/ext4/../jbd2/x.h \\
  include/generated/autoconf.h \\

fs/ext4/super.o: $(deps_fs/ext4/super.o)
`;

test("the notes of a build give command, objtool's arguments and dependencies", () => {
  const saved = readCommandFile(NOTES, "fs/ext4/super.o");
  expect(saved.compile.slice(0, 2)).toEqual(["gcc-12", "-Wp,-MMD,fs/ext4/.super.o.d"]);
  expect(saved.compile).toContain('-DKBUILD_MODNAME="ext4-x"');
  expect(saved.compile).toContain("-DHASH=#");
  expect(saved.compile).toContain("-DDOLLAR=$");
  expect(saved.objtool).toEqual(["--orc", "--module"]);
  expect(saved.dependencies).toEqual([
    "/src/fs/ext4/super.c",
    "/src/fs/ext4/../jbd2/x.h",
    "include/generated/autoconf.h",
  ]);
});

test("an object that objtool is not run on", () => {
  const saved = readCommandFile(NOTES.replace(/ {3}; true.*/, ""), "fs/ext4/super.o");
  expect(saved.objtool).toBeUndefined();
});

test.each([
  ["another step", NOTES.replace("; true --orc", "; ./scripts/recordmcount; true --orc")],
  ["a pipe", NOTES.replace("-c -o", "-c | cat -o")],
  ["another object", NOTES.replace("-o fs/ext4/super.o", "-o .tmp_super.o")],
  ["nothing", ""],
])("a command in a form we do not know is not guessed at: %s", (_, text) => {
  expect(() => readCommandFile(text, "fs/ext4/super.o")).toThrow(/fs\/ext4\/super\.o/);
});

test("a redirected command differs in nothing but where it reads and writes", () => {
  const { compile } = readCommandFile(NOTES, "fs/ext4/super.o");
  const command = redirectCommand(compile, {
    from: "/src",
    source: "/view",
    object: "/w/o.o",
    dependencies: "/w/o.d",
  });
  expect(command.join(" ")).toBe(
    `gcc-12 -Wp,-MMD,/w/o.d -I/view/include -I./include -include /view/include/linux/kconfig.h -fmacro-prefix-map=/view/= -I /view/fs/ext4 -I /source-of-others -DMODULE -DKBUILD_MODNAME="ext4-x" -DHASH=# -DDOLLAR=$ -c -o /w/o.o /view/fs/ext4/super.c`,
  );
});

test("a unit belongs to the module that its command names, else to vmlinux", () => {
  expect(objectOf(readCommandFile(NOTES, "fs/ext4/super.o").compile)).toBe("ext4_x");
  expect(objectOf(['-DKBUILD_MODNAME="proc"', "-c"])).toBe("vmlinux");
});

test("dependency files of gcc", () => {
  expect(readDependencyFile("a.o: a.c \\\n b\\ c.h $$d.h\n\nb.h:\n")).toEqual(["a.c", "b c.h", "$d.h"]);
  expect(readDependencyFile("a.o:\n")).toEqual([]);
});
