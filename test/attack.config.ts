import { defineConfig } from "vitest/config";

/** `npm run attack`: what `npm test` has of it, and what takes minutes. */
export default defineConfig({
  test: {
    include: ["test/attacks.slow.test.ts", "test/guests.attack.ts"],
    globalSetup: "./tools/bundle.mjs",
    // Deadlines are among what is tested.
    fileParallelism: false,
    reporters: ["default", "./test/tally.ts"],
  },
});
