import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "kernel/src/**/*.test.ts",
      "server/src/**/*.test.ts",
      "extension/src/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    // What the tests start is what was compiled last.
    globalSetup: "./tools/bundle.mjs",
    testTimeout: 30_000,
    // Compilers and guests run beside the tests, each on one processor: one worker for each of them.
    maxWorkers: "100%",
    // Real downloads and real boots on a shared machine: what fails once is tried again there, and reported as such.
    retry: process.env.CI ? 1 : 0,
    reporters: ["default", "./test/tally.ts"],
  },
});
