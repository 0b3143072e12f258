import { describe, expect, it } from "vitest";
import { withTree } from "./engine.js";
import { engines } from "./engines-under-test.js";
import { loadQuery, type QueryName } from "./query-file.js";

const SOURCE = `#include <linux/module.h>
#define LIMIT 4
static DEFINE_MUTEX(table_lock);
static int limit __read_mostly = LIMIT;
struct entry {
	struct list_head list;
	DECLARE_BITMAP(flags, 8);
};
static int __init table_init(void)
{
	mutex_lock(&table_lock);
	kref_get(&ref);
	mutex_unlock(&table_lock);
	scoped_guard(mutex, &table_lock)
		limit = 0;
	asm volatile("nop" : : : "memory");
	return 0;
}
SYSCALL_DEFINE1(table, int, number)
{
	return number;
}
EXPORT_SYMBOL_GPL(limit);
module_init(table_init);
module_param(limit, int, 0444);
`;

const NAMES: QueryName[] = ["highlights", "locals", "tags", "folds", "injections", "review"];

describe.each(engines)("queries, %s", (_, engine) => {
  it.each(NAMES)("%s compiles and captures", async (name) => {
    const query = await loadQuery(engine, name);
    expect(withTree(engine, SOURCE, (tree) => query.captures(tree.root).length)).toBeGreaterThan(0);
    query.free();
  });

  it("review finds what a reviewer asks for", async () => {
    const query = await loadQuery(engine, "review");
    const found = withTree(engine, SOURCE, (tree) =>
      query.captures(tree.root).map(({ name, node }) => `${name} ${node.text.split(/[\n;{]/, 1)[0]?.trim()}`),
    );
    query.free();
    expect(found).toEqual(
      expect.arrayContaining([
        "function.name table_init(void)",
        "function.annotation __init",
        "data.annotation __read_mostly",
        "data.name DEFINE_MUTEX",
        "type.name entry",
        "type.member struct list_head list",
        "type.member DECLARE_BITMAP(flags, 8)",
        "macro.name LIMIT",
        "export EXPORT_SYMBOL_GPL(limit)",
        "initcall module_init(table_init)",
        "syscall SYSCALL_DEFINE1(table, int, number)",
        "parameter module_param(limit, int, 0444)",
        "lock mutex_lock(&table_lock)",
        "lock mutex_unlock(&table_lock)",
        "lock scoped_guard(mutex, &table_lock)",
        "refcount kref_get(&ref)",
      ]),
    );
    expect(found.filter((capture) => capture.startsWith("lock")).length).toBe(3);
  });
});
