import type { DebianKernel } from "@kernel-hotpatch/kernel/profile/debian";
import type { KernelProfile as RealProfile } from "@kernel-hotpatch/kernel/profile/profile";
import type { Static } from "typebox";
import { expectTypeOf, test } from "vitest";
import type { Immutable } from "../review/immutable.js";
import type { AvailableKernelList, KernelProfile } from "./profile-list.js";

test("the schemas and the kernel room's types are one (the compiler is the judge)", () => {
  expectTypeOf<Immutable<Static<typeof KernelProfile>>>().toEqualTypeOf<RealProfile>();
  expectTypeOf<AvailableKernelList["kernels"][number]>().toEqualTypeOf<DebianKernel>();
});
