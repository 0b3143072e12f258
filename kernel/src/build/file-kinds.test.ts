import { expect, test } from "vitest";
import { kindOfFile } from "./file-kinds.js";

test.each([
  ["fs/proc/meminfo.c", "unit", undefined],
  ["include/linux/sched.h", "header", undefined],
  ["include/uapi/linux/fs.h", "header", "uapi-changed"],
  ["arch/x86/include/uapi/asm/stat.h", "header", "uapi-changed"],
  ["arch/x86/entry/entry_64.S", "other", "assembly-changed"],
  ["arch/x86/kernel/vmlinux.lds.S", "other", "build-input-changed"],
  ["arch/x86/entry/vdso/vclock_gettime.c", "other", "user-mapped-code"],
  ["lib/vdso/gettimeofday.c", "other", "user-mapped-code"],
  ["arch/x86/boot/main.c", "other", "user-mapped-code"],
  ["arch/x86/entry/syscalls/syscall_64.tbl", "other", "syscall-table-changed"],
  ["fs/Kconfig", "other", "build-input-changed"],
  ["fs/ext4/Makefile", "other", "build-input-changed"],
  ["arch/x86/Makefile.um", "other", "build-input-changed"],
  ["Kbuild", "other", "build-input-changed"],
  ["arch/arm64/boot/dts/a.dtsi", "other", "build-input-changed"],
  ["scripts/mod/modpost.c", "other", "build-input-changed"],
  ["tools/objtool/check.c", "other", "build-input-changed"],
  ["rust/kernel/lib.rs", "other", "build-input-changed"],
  ["drivers/x/firmware.bin", "other", "build-input-changed"],
  ["Documentation/process/index.rst", "other", "no-functional-change"],
  ["tools/testing/selftests/x.c", "other", "no-functional-change"],
  ["MAINTAINERS", "other", "no-functional-change"],
])("%s", (path, role, rule) => {
  const kind = kindOfFile(path);
  expect([kind.role, kind.observation?.rule]).toEqual([role, rule]);
});

test("only what is harmless or of little weight says so; the rest refuses by its rule", () => {
  expect(kindOfFile("MAINTAINERS").observation?.severity).toBe("info");
  expect(kindOfFile("include/uapi/linux/fs.h").observation?.severity).toBe("needs-review");
  expect(kindOfFile("fs/Kconfig").observation?.severity).toBeUndefined();
});
