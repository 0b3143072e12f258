import { expect, test } from "vitest";
import { profileObservations } from "./run-review.js";

const compiler = {
  command: "gcc-12",
  version: "gcc-12 (Debian 12.2.0-14) 12.2.0",
  builtWith: "gcc-12 (Debian 12.2.0-14) 12.2.0",
};

test("the image's own compiler and configuration leave nothing to say, a cross compiler's name neither", () => {
  for (const name of ["gcc-12", "aarch64-linux-gnu-gcc-12"])
    expect(profileObservations({ compiler, configDrift: [] }, `${name} (Debian 12.2.0-14) 12.2.0`)).toEqual(
      [],
    );
});

test("another compiler than the image's is told, whatever was here when the kernel was added", () => {
  const [observation] = profileObservations(
    { compiler, configDrift: [] },
    "gcc-12 (Debian 12.2.0-15) 12.2.0",
  );
  expect(observation).toMatchObject({
    rule: "compiler-mismatch",
    message: expect.stringContaining("12.2.0-15"),
  });
});

test("options that drifted are told", () => {
  const drift = ["CONFIG_KASAN: image unset, here y"];
  expect(profileObservations({ compiler, configDrift: drift }, compiler.version)).toMatchObject([
    { rule: "config-drift", message: expect.stringContaining("CONFIG_KASAN") },
  ]);
});
