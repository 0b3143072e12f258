import { expect, test } from "vitest";
import { Machine, SectionFlag, SectionType } from "../elf/format.js";
import type { ElfObject } from "../elf/object.js";
import { moduleInformation } from "../profile/module-file.js";
import type { Export } from "./kernel-symbols.js";
import { modinfoSection, versionDisagreements, versionsSection } from "./modinfo.js";

/** struct modversion_info of a 64-bit kernel (include/linux/module.h). */
const LAYOUT = new Map([
  ["struct modversion_info", 64],
  ["struct modversion_info.crc", 0],
  ["struct modversion_info.name", 8],
]);

const exported = (crc: number, namespace = ""): Export => ({ by: "vmlinux", crc, namespace });

function moduleOf(...sections: ElfObject["sections"]): ElfObject {
  return { machine: Machine.X86_64, littleEndian: true, osAbi: 0, flags: 0, sections, symbols: [] };
}

const info = (text: string): ElfObject["sections"][number] => ({
  name: ".modinfo",
  type: SectionType.PROGBITS,
  flags: SectionFlag.ALLOC,
  align: 1,
  entrySize: 0,
  data: Buffer.from(text.replaceAll("\n", "\0")),
  relocations: [],
  otherRelocations: [],
});

test("namespaces are imported, each once; what depends on the kernel is copied", () => {
  const model = moduleOf(info("license=Proprietary\nvermagic=6.1.0 SMP\nretpoline=Y\nname=other\n"));
  const section = modinfoSection(model, "hotpatch_x", ["DMA_BUF", "CRYPTO", "DMA_BUF"], "livepatch");
  const text = new TextDecoder().decode(section.data).split("\0");
  expect(text.filter((field) => field.startsWith("import_ns="))).toEqual([
    "import_ns=CRYPTO",
    "import_ns=DMA_BUF",
  ]);
  expect(Object.fromEntries(moduleInformation(moduleOf(section)))).toMatchObject({
    license: "GPL",
    livepatch: "Y",
    name: "hotpatch_x",
    vermagic: "6.1.0 SMP",
    retpoline: "Y",
  });
});

test("a symbol version that the kernel's own modules do not use is refused", () => {
  const theirs = new Map([
    ["module_layout", exported(0x11)],
    ["_printk", exported(0xfeedbeef)],
    ["kfree", exported(0x33)],
  ]);
  const versions = versionsSection(theirs, LAYOUT, true);
  if (!versions) throw new Error("no versions");
  const model = moduleOf(versions);
  expect(versionDisagreements(theirs, model, LAYOUT)).toEqual([]);
  expect(versionDisagreements(new Map([["only_ours", exported(1)]]), model, LAYOUT)).toEqual([]);
  const stale = new Map([...theirs, ["_printk", exported(0x22)] as const]);
  expect(versionDisagreements(stale, model, LAYOUT)).toEqual([
    {
      rule: "symbol-version-changed",
      severity: "unsafe",
      symbol: "_printk",
      message:
        "Module.symvers has version 0x00000022 of '_printk', the kernel's own modules use 0xfeedbeef: the kernel would not load the patch",
    },
  ]);
});

test("a kernel without symbol versions has none to compare", () => {
  expect(versionDisagreements(new Map([["kfree", exported(1)]]), moduleOf(), new Map())).toEqual([]);
});
