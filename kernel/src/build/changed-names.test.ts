import { expect, test } from "vitest";
import { changedNames } from "./changed-names.js";

/** Names and types that differ, or the sentence. */
function changed(before: string, after: string): string {
  const found = changedNames(before, after);
  if (typeof found === "string") return found;
  const names = [...found.names].map(([name, kind]) =>
    kind === "code" || kind === "member" ? name : `${name} (${kind})`,
  );
  return [...names, ...found.types].join(", ");
}

const UNCHANGED: Record<string, [string, string]> = {
  comments: ["int f(void); /* old */\n", "// new\nint  f( void );\n"],
  "a struct that is new": ["", "struct a {\n\tint b;\n};\nstruct c;\n"],
  "an enumerator that is new, at the end or with a value": [
    "enum a { A, B = 4, C };\n",
    "enum a { A, X = 3, B = 4, C, D };\n",
  ],
  "a declaration that moves": ["int f(void);\nint g(void);\n", "int g(void);\nint f(void);\n"],
  "a static assertion": ["", "static_assert(sizeof(int) == 4);\n"],
};

test.each(Object.entries(UNCHANGED))("nobody notices: %s", (_, [before, after]) => {
  expect(changed(before, after)).toBe("");
});

const CHANGED: Record<string, [string, string, string]> = {
  "a macro that is new: somebody may have that name": ["", "#define A(x) (x)\n", "A (macro)"],
  "a prototype that is new: what it declares may be there": ["", "struct a *f(struct b *);\n", "f"],
  "an inline function that is new": ["", "static inline int f(int a)\n{\n\treturn g(a);\n}\n", "f"],
  "a variable that is new": ["", "extern const struct a *b[];\n", "b"],
  "a macro that has a keyword's name": [
    "",
    "#define inline inline __attribute__((unused))\n",
    "inline (macro)",
  ],
  "a macro over several lines": ["#define A(x) \\\n\tf(x)\n", "#define A(x) \\\n\tg(x)\n", "A (macro)"],
  "a macro that goes": ["#define A 1\n", "", "A (macro)"],
  "a macro that is defined before another": [
    "#define A 1\nint f(void);\n#define B 1\n",
    "#define B 1\nint f(void);\n#define A 1\n",
    "A (macro)",
  ],
  "a condition around it": ["int f(void);\n", "#ifdef X\nint f(void);\n#endif\n", "f"],
  "the other branch": [
    "#ifdef X\nint f(void);\n#else\nstatic inline int f(void) { return 0; }\n#endif\n",
    "#ifdef X\nint f(void);\n#else\nstatic inline int f(void) { return 1; }\n#endif\n",
    "f",
  ],
  parameters: [
    "extern int f(struct a *b,\n\t     int c) __acquires(b);\n",
    "extern int f(struct a *b,\n\t     long c) __acquires(b);\n",
    "f",
  ],
  "an attribute of something that others may declare": [
    "",
    "__printf(1, 2) void f(const char *, ...);\n",
    "f",
  ],
  "an attribute that has no underscores": ["", "void f(void) notrace;\n", "f, notrace"],
  "a variable with an attribute": [
    "extern int a __read_mostly;\n",
    "extern long a __read_mostly;\n",
    "a, __read_mostly",
  ],
  "a member that is new": ["struct a {\n\tint b;\n};\n", "struct a {\n\tint b;\n\tint c;\n};\n", "struct a"],
  "a member of another type": [
    "struct a {\n\tint b, c;\n\tvoid (*f)(int);\n};\n",
    "struct a {\n\tint b, c;\n\tvoid (*f)(long);\n};\n",
    "f, struct a",
  ],
  "a member in a union without a name is where it was": [
    "struct a {\n\tstruct b *c;\n};\n",
    "struct a {\n\tunion {\n\t\tstruct b *c;\n\t\tstruct b __rcu *d;\n\t};\n};\n",
    "struct a",
  ],
  "members in a group": [
    "struct a {\n\tstruct_group(g,\n\t\tint b;\n\t\tint c;\n\t);\n};\n",
    "struct a {\n\tstruct_group(g,\n\t\tint b;\n\t\tlong c;\n\t);\n};\n",
    "c, struct a",
  ],
  "a macro among members": [
    "struct a {\n\tint b;\n#define A 1\n#define B 1\n};\n",
    "struct a {\n\tint b;\n#define A 1\n#define B 2\n};\n",
    "B (macro), struct a",
  ],
  "a struct that goes": ["struct a {\n\tint b;\n};\n", "", "a, struct a"],
  "enumerators behind one that is new, and what counts on them": [
    "enum a { A, B, __MAX, C = 9, MAX = __MAX - 1 };\n",
    "enum a { A, X, B, __MAX, C = 9, MAX = __MAX - 1 };\n",
    "B (value), __MAX (value), MAX (value)",
  ],
  "an enumerator in one of two branches": [
    "#ifdef X\nenum { A = 1 };\n#else\nenum { A = 2 };\n#endif\n",
    "#ifdef X\nenum { A = 2 };\n#else\nenum { A = 1 };\n#endif\n",
    "A (value)",
  ],
  "a function that moves to the other side of a macro that it uses": [
    "#define A 1\nstatic inline int f(void) { return A; }\n#undef A\n#define A 2\nint g(void);\nint h(void);\n",
    "#define A 1\n#undef A\n#define A 2\nint g(void);\nint h(void);\nstatic inline int f(void) { return A; }\n",
    "f",
  ],
  "a type name that goes": ["typedef int (*f_t)(int);\n", "", "f_t"],
};

test.each(Object.entries(CHANGED))("by name: %s", (_, [before, after, names]) => {
  expect(changed(before, after)).toBe(names);
});

const UNCLEAR: Record<string, [string, string, RegExp]> = {
  "what is included": ["", "#include <linux/list.h>\n", /list . h >' comes or goes/],
  "how types are laid out": ["", "#pragma pack(1)\n", /pragma/],
  "a macro that declares": ["", "DECLARE_THING(a);\n", /not clear what 'DECLARE_THING/],
  "a type name that changes": ["typedef int a;\n", "typedef long a;\n", /type 'a' changes/],
  "a struct's attributes": [
    "struct a { int b; };\n",
    "struct a { int b; } __packed;\n",
    /struct a changes as a whole/,
  ],
  "a macro that declares and looks like a function": [
    "",
    "declare_thing(a);\n",
    /not clear what 'declare_thing/,
  ],
  "the same, with a type": ["", "static make_name(a)(int b);\n", /not clear what 'static make_name/],
  "a pointer to a function": [
    "extern irqreturn_t (*handler)(int);\n",
    "extern irqreturn_t (*handler)(long);\n",
    /not clear what 'extern irqreturn_t/,
  ],
  "entries of a table that includes it": ["ONE, TWO,\n", "ONE, THREE,\n", /no list of whole declarations/],
  "members of a struct that includes it": ["int a;\n", "long a;\n", /not clear what 'int a ;'/],
  "a member's alignment, which its place does not show": [
    "struct a { long b; };\n",
    "struct a { long b __aligned(16); };\n",
    /struct a changes as a whole/,
  ],
  "a type that is not the same for all units": [
    "struct a {\n#ifdef MODULE\n\tint b;\n#endif\n\tint c;\n};\n",
    "struct a {\n#ifdef MODULE\n\tlong b;\n#endif\n\tint c;\n};\n",
    /not clear what 'struct a/,
  ],
  "a value that needs a larger type": [
    "enum a { A };\n",
    "enum a { A, B = 1ULL << 40 };\n",
    /'B' may be negative or large/,
  ],
  "an enum in a struct": [
    "struct a { enum { A } b; };\n",
    "struct a { enum { X, A } b; };\n",
    /not clear what 'struct a/,
  ],
  "a value that may be negative": ["enum a { A };\n", "enum a { A, B = -1 };\n", /negative/],
  "an enum's attributes": ["enum a { A };\n", "enum a { A } __packed;\n", /enum a changes as a whole/],
  "braces in two branches": [
    "#ifdef X\nint f(void) {\n#else\nint g(void) {\n#endif\n}\n",
    "",
    /no list of whole declarations/,
  ],
};

test.each(Object.entries(UNCLEAR))("not by name: %s", (_, [before, after, words]) => {
  expect(changed(before, after)).toMatch(words);
});
