import type { ElfSection } from "../elf/object.js";
import { type Atom, usedBytesOf } from "./atoms.js";

/** What a section is to the running kernel, if it is more than code and variables. */
export interface Machinery {
  readonly rule: string;
  readonly what: string;
}

/** Sections whose contents the kernel read once, long ago, or that somebody else holds pointers into. */
export const MACHINERY: readonly (Machinery & { readonly section: RegExp })[] = [
  {
    section: /^\.init\.|^\.(con_)?initcall|^\.initcall|^\.(meminit|cpuinit|devinit)\./,
    rule: "init-code",
    what: "initialisation that has run",
  },
  {
    section: /^\.(init_array|ctors|preinit_array)/,
    rule: "init-code",
    what: "a constructor that has run",
  },
  { section: /^\.exit\./, rule: "exit-code", what: "code or data that only runs at exit" },
  { section: /^\.data\.\.percpu/, rule: "percpu-changed", what: "a per-CPU variable" },
  {
    section: /^___?ksymtab|^__ksymtab_strings|^__kcrctab|^\.export_symbol/,
    rule: "export-changed",
    what: "an exported symbol",
  },
  {
    section: /^\.modinfo$|^__param$|^__modver$|^__versions$/,
    rule: "module-interface",
    what: "module information or a parameter",
  },
  {
    section: /^__tracepoints|^_ftrace_e|^__bpf_raw_tp_map|^__bpf_trace|^\.ref\.data$/,
    rule: "tracepoint-changed",
    what: "a trace event",
  },
  {
    section: /^__syscalls_metadata|^\.init\.syscall/,
    rule: "syscall-table-changed",
    what: "a system call's description",
  },
  { section: /^\.static_call\.text$/, rule: "static-call", what: "a static call's trampoline" },
  {
    section: /^_kprobe_blacklist|^_error_injection_whitelist|^\.BTF_ids|^\.BTF\b/,
    rule: "unsupported-section",
    what: "a list that the kernel read at boot",
  },
];

/** Sections of ordinary variables, which code finds by reference only. */
const VARIABLES = /^\.(data|bss|rodata|lrodata|ldata|lbss)($|\.)|^__dyndbg$|^__verbose$|^__bpf_kfunc/;

/**
 * What tells about the module as a whole and is read by people, or by modpost: `KBUILD_MODNAME.` stands before it in
 * what is built in (include/linux/moduleparam.h, __MODULE_INFO). A patch module imports namespaces on its own.
 */
const HARMLESS_INFORMATION =
  /^([\w-]+\.)?(author|description|version|srcversion|import_ns|softdep|file|license)=/;

/** What the section of an atom is to the running kernel; undefined for ordinary code and variables. */
export function machineryOf({ section }: Pick<Atom, "section">): Machinery | undefined {
  return purposeOf(section).machinery;
}

interface Purpose {
  readonly machinery: Machinery | undefined;
  readonly isVariables: boolean;
}

/** It is asked for again and again, and a large object has thousands of sections. */
const purposes = new WeakMap<ElfSection, Purpose>();

function purposeOf(section: ElfSection): Purpose {
  let purpose = purposes.get(section);
  if (purpose === undefined) {
    const machinery = MACHINERY.find((entry) => entry.section.test(section.name));
    purpose = { machinery, isVariables: machinery === undefined && VARIABLES.test(section.name) };
    purposes.set(section, purpose);
  }
  return purpose;
}

/** Whether an entry of a table can change without anybody being the wiser. */
export function isHarmless(atom: Atom): boolean {
  // Of an exported symbol one entry is enough to speak of: not those of its name and its checksum.
  if (/^(__ksymtab_strings|___?kcrctab|\.export_symbol)/.test(atom.section.name)) return true;
  return atom.section.name === ".modinfo" && HARMLESS_INFORMATION.test(textOf(atom));
}

/**
 * The name that the author of the code knows: not the alias that a macro adds for `modpost` or the module loader
 * (MODULE_DEVICE_TABLE, module_init and module_exit in include/linux/module.h).
 */
export function sourceNameOf({ symbols, name }: Pick<Atom, "symbols" | "name">): string {
  return symbols.find((symbol) => !ALIAS.test(symbol.name))?.name ?? name;
}

const ALIAS = /^(__mod_\w+_device_table|init_module|cleanup_module|__cfi_.*|__pfx_.*)$/;

/** Whether what is in the section is found by what refers to it, and not by its place in a table. */
export function holdsVariables({ section }: Atom): boolean {
  return purposeOf(section).isVariables;
}

/**
 * What an author would call an entry: module information by its text, an exported symbol by its name, and what has no
 * name by what it refers to.
 * @param others what is in its place in the other object, which need not be told
 */
export function describeEntry(atom: Atom, others: Iterable<Atom> = []): string {
  if (atom.section.name === ".modinfo") return textOf(atom) || atom.name;
  if (atom.name !== "") return sourceNameOf(atom).replace(/^__ksymtab_/, "");
  const targets = (one: Atom) =>
    one.references.map(({ target }) => target.name).filter((name) => name !== "");
  const left = [...others].flatMap(targets);
  // Of a whole table, what it has once more.
  const isMore = (name: string) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  };
  return targets(atom).find(isMore) ?? atom.section.name;
}

function textOf(atom: Atom): string {
  return new TextDecoder().decode(usedBytesOf(atom)).replaceAll("\0", "");
}
