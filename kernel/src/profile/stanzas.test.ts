import { expect, test } from "vitest";
import { run } from "../host/run.js";
import { compareVersions, parseStanzas } from "./stanzas.js";

test("reads the paragraphs of apt-cache show", () => {
  const text = [
    "Package: linux-image-6.1.0-56-amd64",
    "Source: linux-signed-amd64 (6.1.192+2)",
    "Version: 6.1.192-2",
    "Description: Linux 6.1 for 64-bit PCs (signed)",
    " The Linux kernel 6.1 and modules for use on PCs with AMD64,",
    " Intel 64 or VIA Nano processors.",
    "Built-Using: linux (= 6.1.192-2)",
    "",
    "Package: linux-source-6.1",
    "Version: 6.1.192-1",
    "",
    "",
  ].join("\n");
  const stanzas = parseStanzas(text);
  expect(stanzas).toHaveLength(2);
  expect(stanzas[0]?.get("Built-Using")).toBe("linux (= 6.1.192-2)");
  expect(stanzas[0]?.get("Description")).toMatch(/^Linux 6\.1 .* Nano processors\.$/);
  expect(stanzas[1]?.get("Version")).toBe("6.1.192-1");
  expect(parseStanzas("")).toEqual([]);
});

test("orders versions as dpkg does", async () => {
  const versions = [
    "6.1.192-1",
    "6.1.192-2",
    "6.1.190-1",
    "6.1.9-1",
    "6.12.117-1~deb12u1",
    "6.12.117-1",
    "6.12.117-1+b1",
    "1:1.35.0-4+deb12u1+b1",
    "1:1.35.0-4",
    "6.1~rc1-1",
    "6.1-1",
    "6.1",
    "6.1a-1",
    "6.1+x-1",
    "06.1-1",
  ];
  for (const a of versions) {
    for (const b of versions) {
      const older = await run({ signal: new AbortController().signal }, [
        "dpkg",
        "--compare-versions",
        a,
        "lt",
        b,
      ]);
      expect(compareVersions(a, b) < 0, `${a} older than ${b}`).toBe(older.status === 0);
    }
  }
});
