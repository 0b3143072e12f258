import { SectionFlag } from "../elf/format.js";
import { type ElfObject, type ElfSection, newSection } from "../elf/object.js";
import { Fault } from "../host/fault.js";
import type { Observation } from "../observation.js";
import { moduleInformation } from "../profile/module-file.js";
import type { Backend } from "./backend.js";
import type { Export } from "./kernel-symbols.js";
import { type Layout, layoutOf } from "./runtime.js";

/** What the kernel's own modules say about themselves and ours must say alike (scripts/mod/modpost.c, add_header). */
const COPIED = ["retpoline", "vermagic"];

/** A kernel without livepatch refuses modules marked as such (kernel/module/main.c, check_modinfo_livepatch). */
const BACKEND_FIELDS: Readonly<Record<Backend, readonly [string, string][]>> = {
  livepatch: [
    ["livepatch", "Y"],
    ["depends", ""],
  ],
  ftrace: [["depends", "hotpatch_core"]],
};

/**
 * `.modinfo` of the patch module.
 * @param model a module of the target kernel
 * @throws Fault `defect` when the model has no version string
 */
export function modinfoSection(
  model: ElfObject,
  name: string,
  namespaces: Iterable<string>,
  backend: Backend,
): ElfSection {
  const theirs = moduleInformation(model);
  if (!theirs.has("vermagic")) throw new Fault("defect", "a module of the target kernel has no vermagic");
  const fields: [string, string][] = [
    ["license", "GPL"],
    ...BACKEND_FIELDS[backend],
    ...[...new Set(namespaces)].sort().map((namespace): [string, string] => ["import_ns", namespace]),
    ["name", name],
  ];
  for (const key of COPIED) {
    const value = theirs.get(key);
    if (value !== undefined) fields.push([key, value]);
  }
  const text = fields.map(([key, value]) => `${key}=${value}\0`).join("");
  return newSection(".modinfo", SectionFlag.ALLOC, 1, new TextEncoder().encode(text));
}

/**
 * `__versions`: the checksum of each export used (struct modversion_info, include/linux/module.h); undefined where the
 * kernel was built without.
 * @param used exports by symbol name, `module_layout` among them
 */
export function versionsSection(
  used: ReadonlyMap<string, Export>,
  layout: Layout,
  littleEndian: boolean,
): ElfSection | undefined {
  const size = layout.get("struct modversion_info");
  if (size === undefined) return undefined;
  const [crcAt, nameAt] = [
    layoutOf(layout, "struct modversion_info.crc"),
    layoutOf(layout, "struct modversion_info.name"),
  ];
  const data = new Uint8Array(size * used.size);
  const view = new DataView(data.buffer);
  for (const [index, [name, { crc }]] of [...used].sort(([a], [b]) => (a < b ? -1 : 1)).entries()) {
    const bytes = new TextEncoder().encode(name);
    if (bytes.length >= size - nameAt)
      throw new Fault("defect", `the name of '${name}' is too long for its version`);
    view.setBigUint64(index * size + crcAt, BigInt(crc), littleEndian);
    data.set(bytes, index * size + nameAt);
  }
  return newSection("__versions", SectionFlag.ALLOC, 8, data);
}

/**
 * Compares the symbol versions that a module is to be linked with to those that the kernel's own modules were: where
 * they differ, Module.symvers is not the running kernel's, which would refuse the module (kernel/module/version.c).
 * @param model a module of the target kernel
 */
export function versionDisagreements(
  used: ReadonlyMap<string, Export>,
  model: ElfObject,
  layout: Layout,
): Observation[] {
  const size = layout.get("struct modversion_info");
  const data = model.sections.find(({ name }) => name === "__versions")?.data;
  if (size === undefined || data === undefined) return [];
  const [crcAt, nameAt] = [
    layoutOf(layout, "struct modversion_info.crc"),
    layoutOf(layout, "struct modversion_info.name"),
  ];
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const observations: Observation[] = [];
  for (let at = 0; at + size <= data.length; at += size) {
    const name = new TextDecoder().decode(data.subarray(at + nameAt, at + size)).replace(/\0.*$/s, "");
    const crc = Number(view.getBigUint64(at + crcAt, model.littleEndian));
    const ours = used.get(name);
    if (ours === undefined || ours.crc === crc) continue;
    const [here, there] = [ours.crc, crc].map((value) => `0x${value.toString(16).padStart(8, "0")}`);
    observations.push({
      rule: "symbol-version-changed",
      severity: "unsafe",
      symbol: name,
      message: `Module.symvers has version ${here} of '${name}', the kernel's own modules use ${there}: the kernel would not load the patch`,
    });
  }
  return observations;
}
