import type { MatchedFunction } from "@kernel-hotpatch/kernel/runpre/run-pre";
import { expectTypeOf, test } from "vitest";
import type { Review } from "./review.js";

test("the schema and the kernel room's type are one (the compiler is the judge)", () => {
  expectTypeOf<NonNullable<Review["runPre"]>[number]>().toEqualTypeOf<MatchedFunction>();
});
