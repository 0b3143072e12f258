/** A kernel configuration: values by option; options that are not set are left out. */
export type KernelConfig = ReadonlyMap<string, string>;

/** Reads a `.config` file (Documentation/kbuild/kconfig.rst); strings keep their quotes. */
export function parseConfig(text: string): KernelConfig {
  return new Map(
    [...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
}

/**
 * The configuration without what needs the distributor's keys: signing while building, and certificates
 * compiled into vmlinux. Neither reaches the code of a function.
 */
export function withoutSigning(text: string): string {
  const kept = text.split("\n").filter((line) => !/CONFIG_(MODULE_SIG_ALL|SYSTEM_TRUSTED_KEYS)\b/.test(line));
  return [...kept, "# CONFIG_MODULE_SIG_ALL is not set", 'CONFIG_SYSTEM_TRUSTED_KEYS=""', ""].join("\n");
}

/** Options that may differ from the image's without any effect on compiled code, each for its reason. */
const HARMLESS: ReadonlyMap<string, string> = new Map([
  ["CONFIG_BUILD_SALT", "goes into an ELF note; Debian leaves it out of the file it ships"],
  ["CONFIG_MODULE_SIG_ALL", "signs when modules are installed"],
  ["CONFIG_MODULE_SIG_KEY", "path of a key for signing"],
  ["CONFIG_SYSTEM_TRUSTED_KEYS", "certificates compiled into vmlinux"],
  ["CONFIG_SYSTEM_REVOCATION_KEYS", "certificates compiled into vmlinux"],
  ["CONFIG_CC_CAN_LINK", "whether programs for the kernel's users can be linked"],
  ["CONFIG_CC_CAN_LINK_STATIC", "whether programs for the kernel's users can be linked"],
  ["CONFIG_CC_VERSION_TEXT", "compared as the compiler's identity"],
]);

/**
 * Compares the configuration in use with the image's.
 * @returns one line for each difference that can reach compiled code, such as `CONFIG_X: image y, here unset`
 */
export function configDrift(image: KernelConfig, here: KernelConfig): string[] {
  const names = [...new Set([...image.keys(), ...here.keys()])].sort();
  return names
    .filter((name) => !HARMLESS.has(name) && image.get(name) !== here.get(name))
    .map((name) => `${name}: image ${image.get(name) ?? "unset"}, here ${here.get(name) ?? "unset"}`);
}
