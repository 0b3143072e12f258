import { afterAll, beforeAll, test } from "vitest";
import { type Attack, type AttackBench, attackBench } from "./attack-bench.js";
import { patchOf } from "./kernel.js";

// Patches by somebody who means us harm, built. What needs a guest, or minutes, is in guests.attack.ts.

const MINUTES = 60_000;
const UNIT = "fs/proc/cmdline.c";
let bench: AttackBench;

beforeAll(async () => {
  bench = await attackBench();
}, 15 * MINUTES);
afterAll(() => bench.remove());

/** A patch that adds lines to the end of a file that this kernel is made of. */
const adding =
  (lines: () => string, path = UNIT) =>
  () =>
    patchOf(bench.kernel, path, (text) => `${text}\n${lines()}\n`);

/** The same, together with a change of code that would be carried. */
const besidesCode = (path: string, lines: () => string) => async () => {
  const code = await patchOf(bench.kernel, UNIT, (text) => text.replace("'\\n'", "'\\r'"));
  return code + (await adding(lines, path)());
};

const newFile = (path: string, line: string) =>
  `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+${line}\n`;
const link = (modes: string, path: string) =>
  `diff --git a/${path} b/${path}\n${modes}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n`;
const up = "../".repeat(30);
const notThere = (file: string) => new RegExp(`${file}: No such file or directory.*\\[does-not-compile\\]`);
const notMade = /unsafe: .* \[build-input-changed\]/;

const READS: readonly Attack[] = [
  ["a file at home", () => `#include "${bench.secret}"`, /\.secret: No such file.*\[does-not-compile\]/],
  ["a file of the system", () => '#include "/etc/passwd"', notThere("/etc/passwd")],
  ["the same by a long way", () => `#include "${up}etc/passwd"`, notThere("etc/passwd")],
  ["the same, then nothing", () => '#include "/etc/passwd"\n#include "none.h"', notThere("/etc/passwd")],
  ["our environment", () => '#include "/proc/self/environ"', notThere("/proc/self/environ")],
  ["what we are told", () => '#include "/dev/stdin"', notThere("/dev/stdin")],
  [
    "a header of this machine",
    () => '#include "/usr/include/linux/types.h"',
    /reads \/usr\/.*not the kernel's source/,
  ],
  [
    "a file at home, by the assembler",
    () => `asm(".incbin \\"${bench.secret}\\"");`,
    /file not found: .*\.secret.*\[does-not-compile\]/,
  ],
  [
    "our environment, by the assembler",
    () => 'asm(".incbin \\"/proc/self/environ\\"");',
    /file not found: .*\[does-not-compile\]/,
  ],
  [
    "a file as assembler code",
    () => 'asm(".include \\"/etc/passwd\\"");',
    /can't open \/etc\/passwd.*\[does-not-compile\]/,
  ],
  [
    "whether a file is there",
    () => `#if __has_include("${bench.secret}")\n#error seen\n#else\n#error unseen\n#endif`,
    /#error unseen \[does-not-compile\]/,
  ],
  [
    "whether a file is newer",
    () => `#pragma GCC dependency "${bench.secret}"`,
    /\.secret: No such file.*\[does-not-compile\]/,
  ],
  [
    "lines in the compiler's messages",
    () => '#line 1 "/etc/passwd"\n#error line',
    /#error line \[does-not-compile\]/,
  ],
].map(([what, lines, says]) => ({
  what: `reads ${what}`,
  patch: adding(lines as () => string),
  status: String(says).includes("not the kernel's") ? 2 : 1,
  says: says as RegExp,
}));

const ATTACKS: readonly Attack[] = [
  ...READS,
  {
    what: "has us read a file without end, by what debug information names",
    patch: () =>
      patchOf(bench.kernel, UNIT, (text) =>
        text
          .replace("static int", `#define SHOWN m\n#line 1 "${up}dev/zero"\nstatic int`)
          .replace("seq_puts(m,", "seq_puts(SHOWN,"),
      ),
    status: 0,
    says: /^verdict: needs-review/,
  },
  {
    what: "names a symbolic link",
    patch: () => link("new file mode 120000", "fs/proc/link.h"),
    status: 2,
    says: /makes or changes a symbolic link/,
  },
  {
    what: "makes a file a symbolic link",
    patch: () => link("old mode 100644\nnew mode 120000", UNIT),
    status: 2,
    says: /makes or changes a symbolic link/,
  },
  ...[
    ["leaves the tree", newFile("../../outside.c", "x"), /leads out of the tree/],
    [
      "copies a file of the system",
      `diff --git a/x b/y\ncopy from ${up}etc/passwd\ncopy to fs/proc/y.h\n`,
      /leads out of the tree/,
    ],
    ["plants a hook", newFile(".GIT/hooks/post-checkout", "x"), /inside \.git/],
    ["replaces a generated header", newFile("include/generated/autoconf.h", "x"), /is a build output/],
    ["has a name that moves the cursor", newFile("fs/\u001b[2J.c", "x"), /unusual characters/],
  ].map(([what, patch, says]) => ({
    what: what as string,
    patch: () => patch as string,
    status: 2,
    says: says as RegExp,
  })),
  ...(
    [
      ["a makefile", "fs/proc/Makefile", () => `$(shell touch ${bench.made})`],
      [
        "a makefile that loads a compiler plugin",
        "fs/proc/Makefile",
        () => `CFLAGS_cmdline.o += -fplugin=${bench.plugin}`,
      ],
      ["Kconfig", "fs/proc/Kconfig", () => `config EVIL\n\tdefault "$(shell,touch ${bench.made})"`],
      [
        "a tool of the build",
        "scripts/basic/fixdep.c",
        () => `__attribute__((constructor)) void f(void) { fopen("${bench.made}", "w"); }`,
      ],
      ["a linker script", "arch/x86/kernel/vmlinux.lds.S", () => `INCLUDE ${bench.secret}`],
    ] as const
  ).map(([what, path, lines]) => ({
    what: `has code in ${what}`,
    patch: besidesCode(path, lines),
    status: 1,
    says: notMade,
  })),
  ...(
    [
      ["loads a compiler plugin", () => `"-fplugin=${bench.plugin}"`],
      ["has the compiler write elsewhere", () => `"dump-tree-all=${bench.made}"`],
    ] as const
  ).map(([what, option]) => ({
    what: `${what} by a pragma`,
    patch: adding(() => `#pragma GCC optimize (${option()})\nint evil(int a) { return a; }`),
    status: 0,
    says: /^verdict: needs-review/,
  })),
  {
    what: "brings our own and git's settings",
    patch: async () =>
      newFile(".hotpatch.json", '{"confine":false,"failOn":"never"}') +
      (await besidesCode(".gitattributes", () => "* filter=evil")()),
    status: 0,
    says: /^verdict: needs-review/,
  },
  {
    what: "fills the disk",
    patch: adding(() => 'asm(".data; .fill 0x7fffffffff");'),
    status: 1,
    says: /\[does-not-compile\]/,
  },
  {
    what: "prints without end",
    patch: adding(() => `#warning ${"x".repeat(4000)}\n#include "cmdline.c"\n#include "cmdline.c"`),
    status: 2,
    says: /took more than \d+ s or printed too much/,
  },
  {
    what: "calls people and moves the cursor in the compiler's words",
    patch: adding(() => "#error \u001b[2J @everyone <script>::error::"),
    status: 1,
    says: /#error \\u001b\[2J @everyone <script>::error:: \[does-not-compile\]/,
  },
  {
    what: "moves the cursor by the name of a section",
    patch: adding(() => 'asm(".pushsection \\"evil\\\\033[2J@everyone\\", \\"a\\"; .long 1; .popsection");'),
    status: 1,
    says: /evil\\u001b\[2J@everyone/,
  },
];

test.each(ATTACKS.map((attack) => [attack.what, attack] as const))(
  "a patch that %s",
  (_, attack) => bench.expectContained(["build", "attack.patch", "-o", "out"], attack),
  5 * MINUTES,
);
