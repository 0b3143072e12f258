import { expect, test } from "vitest";
import { configDrift, parseConfig, withoutSigning } from "./config.js";

test("drift names what differs in value or presence, and nothing that is harmless", () => {
  const image = parseConfig(
    'CONFIG_A=y\nCONFIG_B="x=y"\n# CONFIG_C is not set\nCONFIG_D=m\nCONFIG_BUILD_SALT="1"\n',
  );
  const here = parseConfig('CONFIG_A=y\nCONFIG_B="z"\nCONFIG_C=y\nCONFIG_BUILD_SALT=""\n');
  expect(configDrift(image, here)).toEqual([
    'CONFIG_B: image "x=y", here "z"',
    "CONFIG_C: image unset, here y",
    "CONFIG_D: image m, here unset",
  ]);
});

test("signing goes, all else stays", () => {
  const text = withoutSigning(
    'CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_ALL=y\nCONFIG_SYSTEM_TRUSTED_KEYS="debian/certs/x.pem"\nCONFIG_X=y\n',
  );
  const options = parseConfig(text);
  expect(Object.fromEntries(options)).toEqual({
    CONFIG_MODULE_SIG: "y",
    CONFIG_SYSTEM_TRUSTED_KEYS: '""',
    CONFIG_X: "y",
  });
  expect(text).toContain("# CONFIG_MODULE_SIG_ALL is not set\n");
});
