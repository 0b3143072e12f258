import { expect, test } from "vitest";
import { loadEngine } from "../syntax/engine.js";
import { type BodyCall, bodyOf, lastName } from "./body-calls.js";
import { lockUses, nestings } from "./lock-use.js";
import { readChangeSet } from "./read-change-set.js";

const engine = await loadEngine();

const work = { signal: new AbortController().signal, cache: "", progress: () => undefined };

async function callsOf(body: string): Promise<readonly BodyCall[]> {
  const path = "mm/example.c";
  const after = Buffer.from(`void f(void)\n{\n${body}\n}\n`);
  const conditions = () => () => ({ conditions: [], kept: "yes" as const });
  const changes = await readChangeSet(work, engine, [{ path, after }], conditions);
  const [file] = changes.files;
  const item = file?.after?.items[0];
  if (!file?.after || item?.kind !== "function") throw new Error("no function");
  return bodyOf(file.after, item).calls;
}

async function shapes(body: string): Promise<string[]> {
  return [...lockUses(await callsOf(body))].map(([key, { shape }]) => `${key}: ${shape}`);
}

test.each([
  ["mutex_lock(&p->m); x(); mutex_unlock(&p->m);", "mutex m: section"],
  ["guard(mutex)(&p->m);", "mutex m: section"],
  ["scoped_guard(spinlock_irqsave, &p->a[i].lock) { x(); }", "spinlock lock: section"],
  ["spin_lock(&p->l);", "spinlock l: takes"],
  ["up_write(&p->sem);", "rwsem sem: drops"],
  ["release_sock(sk); x(); lock_sock(sk);", "socket lock: lends"],
  ["ptl = pmd_lock(mm, pmd); spin_unlock(ptl);", "spinlock ptl: section"],
  ["spin_lock(bucket_lock(h, 3)); spin_unlock(bucket_lock(h, 3));", "spinlock bucket_lock: section"],
])("%s", async (body, shape) => {
  expect(await shapes(body)).toEqual([shape]);
});

test("an error path that leaves does not end the section, one of its own block does", async () => {
  const pairs = async (body: string) => nestings(await callsOf(body)).size;
  const error = "spin_lock(&a); if (e) { spin_unlock(&a); return; } spin_lock(&b);";
  expect(await pairs(error)).toBe(1);
  expect(await pairs("if (e) { spin_lock(&a); spin_unlock(&a); return; } spin_lock(&b);")).toBe(0);
});

test("what a result is assigned to", async () => {
  const target = async (body: string) => (await callsOf(body))[0]?.assignedTo;
  expect(await target("p->buf = kmalloc(3, GFP_KERNEL);")).toBe("p -> buf");
  expect(await target("struct s *p = (struct s *)kmalloc(3, GFP_KERNEL);")).toBe("p");
  expect(await target("kfree(p);")).toBeUndefined();
});

test("the last name of an expression", () => {
  expect(lastName("& p -> a [ i -> n ] . lock")).toBe("lock");
  expect(lastName("ptlock_ptr ( page )")).toBe("ptlock_ptr");
});
