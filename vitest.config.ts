import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["kernel/src/**/*.test.ts", "server/src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 30_000,
    reporters: ["default", "./test/tally.ts"],
  },
});
