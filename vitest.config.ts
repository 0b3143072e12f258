import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["kernel/src/**/*.test.ts", "server/src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 30_000,
    // Compilers and guests run beside the tests, each on one processor: one worker for each of them.
    maxWorkers: "100%",
    reporters: ["default", "./test/tally.ts"],
  },
});
