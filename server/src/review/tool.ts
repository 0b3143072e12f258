import { createRequire } from "node:module";

const { version }: { version: string } = createRequire(import.meta.url)("../../package.json");

/** Us, as every report names us. */
export const tool = { name: "kernel-hotpatch", version } as const;
