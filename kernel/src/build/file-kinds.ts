import type { Observation } from "../observation.js";

/** What a changed file means for a hot patch. */
export interface FileKind {
  /** `unit`: compiled by itself or included; `header`: only included; `other`: nothing that C objects are made of. */
  readonly role: "unit" | "header" | "other";
  readonly observation?: Observation;
}

interface Row {
  readonly match: RegExp;
  readonly role: FileKind["role"];
  readonly rule: string;
  readonly severity?: Observation["severity"];
  readonly message: string;
}

/** First match wins. */
const ROWS: readonly Row[] = [
  {
    match:
      /^Documentation\/|^tools\/testing\/|^(?:LICENSES|CREDITS|MAINTAINERS|COPYING)\b|\.(?:rst|txt|md)$|(?:^|\/)\.[^/]+$/,
    role: "other",
    rule: "no-functional-change",
    severity: "info",
    message: "is no part of the kernel; nothing of it is carried",
  },
  {
    match: /^(?:tools|scripts|certs|usr)\//,
    role: "other",
    rule: "build-input-changed",
    message: "is a tool or an input of the build; what it does to the running kernel cannot be carried",
  },
  {
    match: /(?:^|\/)(?:Kconfig|Makefile|Kbuild)[^/]*$|\.(?:lds|lds\.S|dtsi?|dtso|mk|config)$|_defconfig$/,
    role: "other",
    rule: "build-input-changed",
    message: "is an input of the build; what it does to the running kernel cannot be carried",
  },
  {
    match: /(?:^|\/)asm-offsets(?:_\w+)?\.c$|^kernel\/bounds\.c$/,
    role: "other",
    rule: "build-input-changed",
    message: "is made into a header that assembly is compiled with, which cannot be replaced",
  },
  {
    match: /\.[sS]$|\.inc$/,
    role: "other",
    rule: "assembly-changed",
    message: "is assembly; only functions compiled from C can be replaced",
  },
  {
    match: /^arch\/[^/]+\/(?:boot|realmode|purgatory)\/|^drivers\/firmware\/efi\/libstub\//,
    role: "other",
    rule: "user-mapped-code",
    message: "is code that ran before the kernel started; it cannot be replaced",
  },
  {
    match: /(?:^|\/)(?:vdso\d*|vsyscall)\/|^arch\/x86\/entry\/vsyscall/,
    role: "other",
    rule: "user-mapped-code",
    message: "is code that is mapped into user processes; it cannot be replaced",
  },
  {
    match: /\.tbl$/,
    role: "other",
    rule: "syscall-table-changed",
    message: "is the table of system calls; a running kernel cannot grow or change it",
  },
  {
    match: /(?:^|\/)include\/uapi\/.*\.h$/,
    role: "header",
    rule: "uapi-changed",
    severity: "needs-review",
    message: "is part of the interface to user space, which keeps the meaning it was compiled with",
  },
];

/** @param path relative to the root of the tree */
export function kindOfFile(path: string): FileKind {
  const row = ROWS.find(({ match }) => match.test(path));
  if (row) {
    const { role, rule, severity, message } = row;
    return {
      role,
      observation: { rule, file: path, message: `${path} ${message}`, ...(severity && { severity }) },
    };
  }
  if (path.endsWith(".c")) return { role: "unit" };
  if (path.endsWith(".h")) return { role: "header" };
  const message = `${path} is no C source; what it does to the running kernel cannot be carried`;
  return { role: "other", observation: { rule: "build-input-changed", file: path, message } };
}
