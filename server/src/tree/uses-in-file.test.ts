import { describe, expect, it } from "vitest";
import { engines } from "../syntax/engines-under-test.js";
import { usesInFile } from "./uses-in-file.js";

const TEXT = `/* my_read is read */
static const struct file_operations fops = { .read = my_read, .open = &my_read };
int my_read(struct foo *f)
{
	x->cb = my_read;
	kthread_run(my_read, NULL, "my_read");
	timer_setup(&f->timer, (void *)my_read, 0);
	return my_read(f->my_read);
}
extern int my_read(struct foo *f);
struct foo;
struct foo { int my_read; };
EXPORT_SYMBOL(my_read);
SYSCALL_DEFINE1(open, int, fd)
{
	return my_read(fd);
}
#define CALL(x) my_read(x)
#define VALUE { .read = my_read, .name = "my_read" }
#ifdef my_read
#endif
int other(int my_read)
{
	return my_read + 1;
}
int count = 1;
DEFINE_MUTEX(lock);
enum { FIRST, LAST = FIRST };
typedef struct foo foo_t;
extern int count;
`;

describe.each(engines)("uses in a file, %s", (_, engine) => {
  const told = (name: string, text = TEXT) =>
    (usesInFile(engine, text, new Set([name])).get(name) ?? []).map(({ line, column: _, kind, ...rest }) =>
      [line, kind, ...Object.entries(rest).map(([key, value]) => `${key}=${value}`)].join(" "),
    );

  it("tells how a function is used, and where", () => {
    expect(told("my_read")).toEqual([
      "2 address member=read",
      "2 address member=open",
      "3 definition",
      "5 address member=cb within=my_read",
      "6 address argumentOf=kthread_run within=my_read",
      "7 address argumentOf=timer_setup within=my_read",
      "8 call within=my_read",
      "8 other within=my_read",
      "10 declaration",
      "12 other",
      "13 other argumentOf=EXPORT_SYMBOL",
      "16 call within=sys_open",
      "18 call within=CALL",
      "19 address within=VALUE",
      "20 other",
      "22 other within=other",
      "24 other within=other",
    ]);
  });

  it("tells types, data and enumerators", () => {
    expect(told("foo")).toEqual([
      "3 type within=my_read",
      "10 type",
      "11 declaration",
      "12 definition",
      "29 type",
    ]);
    expect(told("foo_t")).toEqual(["29 definition"]);
    expect(told("count")).toEqual(["26 definition", "30 declaration"]);
    expect(told("lock")).toEqual(["27 definition"]);
    expect(told("FIRST")).toEqual(["28 definition", "28 other"]);
  });

  it("reads a function by itself where the file is long, and says the same", () => {
    const filler = "int filler(int a)\n{\n\treturn a;\n}\n".repeat(100);
    const long = `${filler}int f(void)\n{\n\treturn my_read(1);\n}\n${filler}#ifdef A\nint g(void)\n{\n#else\nint g(int a)\n{\n#endif\n\tk(my_read);\n}\n`;
    expect(told("my_read", long)).toEqual(["403 call within=f", "812 address argumentOf=k within=g"]);
  });

  it("what cannot be read is told as unread", () => {
    expect(told("broken", "int f(void)\n{\n\t) broken ( ] } = 3;\n}\n")[0]).toMatch(/^3 unread/);
    expect(told("a", "")).toEqual([]);
  });
});
