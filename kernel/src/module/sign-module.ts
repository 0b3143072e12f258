import { existsSync } from "node:fs";
import { access, constants, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runConfinedOk } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import { parseConfig } from "../profile/config.js";
import type { KernelProfile } from "../profile/profile.js";

/** What a module is signed with. Paths of PEM files; the key without a passphrase. */
export interface SigningKey {
  readonly key: string;
  readonly certificate: string;
}

/**
 * Looks at key and certificate before any work is done.
 * @throws Fault `bad-input` when one of them cannot be read
 */
export async function judgeSigningKey({ key, certificate }: SigningKey): Promise<void> {
  for (const [what, path] of [
    ["key", key],
    ["certificate", certificate],
  ] as const)
    await access(path, constants.R_OK).catch((cause) => {
      throw new Fault("bad-input", `cannot read the ${what} to sign with: ${path}`, { cause });
    });
}

/**
 * Signs a module file in place, by the kernel's own tool where the profile's build made it, else by openssl in the same
 * form (Documentation/admin-guide/module-signing.rst). With an RSA key the same module gives the same bytes.
 * @throws Fault `bad-input` with the tool's words when key and certificate cannot be used; `lacking` without openssl
 */
export async function signModule(
  work: Work,
  { build, config }: Pick<KernelProfile, "build" | "config">,
  path: string,
  { key, certificate }: SigningKey,
): Promise<void> {
  const options = parseConfig(await readFile(config, "utf8"));
  const hash = options.get("CONFIG_MODULE_SIG_HASH")?.replaceAll('"', "") ?? "sha256";
  const failure = { code: "bad-input", message: `cannot sign with ${key}` } as const;
  const confinement = { readable: [build, key, certificate], writable: dirname(path) };
  const tool = join(build, "scripts/sign-file");
  if (existsSync(tool)) {
    await runConfinedOk(work, [tool, hash, key, certificate, path], confinement, { deadline: 60, failure });
    return;
  }
  const message = `${path}.cms`;
  const signing = ["-sign", "-binary", "-noattr", "-nosmimecap", "-nocerts", "-md", hash];
  const files = ["-signer", certificate, "-inkey", key, "-in", path, "-out", message];
  // Without a passphrase, openssl would ask the terminal for one.
  const command = ["openssl", "cms", ...signing, ...files, "-outform", "DER", "-passin", "pass:"] as const;
  await runConfinedOk(work, command, confinement, { deadline: 60, failure });
  await writeFile(path, withSignature(await readFile(path), await readFile(message)));
}

/**
 * A module with its signature behind it: the message, `struct module_signature`, and a line that says so
 * (include/linux/module_signature.h; scripts/sign-file.c).
 */
export function withSignature(module: Uint8Array, message: Uint8Array): Uint8Array {
  const PKEY_ID_PKCS7 = 2;
  const description = Buffer.alloc(12);
  description.writeUInt8(PKEY_ID_PKCS7, 2);
  description.writeUInt32BE(message.length, 8);
  return Buffer.concat([module, message, description, Buffer.from("~Module signature appended~\n")]);
}
