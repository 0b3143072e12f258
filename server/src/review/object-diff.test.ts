import type { ObjectDiff as KernelObjectDiff } from "@kernel-hotpatch/kernel/objdiff/report";
import type { Static } from "typebox";
import { expectTypeOf, test } from "vitest";
import type { Immutable } from "./immutable.js";
import type { ObjectDiff } from "./object-diff.js";

test("the schema and the kernel room's type are one (the compiler is the judge)", () => {
  expectTypeOf<Immutable<Static<typeof ObjectDiff>>>().toEqualTypeOf<KernelObjectDiff>();
});
