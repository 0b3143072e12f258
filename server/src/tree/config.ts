/** Values of a `.config`: what follows `=`, quotes removed; options that are off are absent. */
export interface KernelConfig {
  /** What it was read from. */
  readonly text: string;
  /** @param option with its prefix: `CONFIG_SMP` */
  value(option: string): string | undefined;
}

/** Reads the text of a `.config` (kernel `scripts/kconfig/confdata.c`). */
export function parseConfig(text: string): KernelConfig {
  const values = new Map<string, string>();
  for (const [, option = "", value = ""] of text.matchAll(/^(CONFIG_\w+)=(.*)$/gm))
    values.set(option, value.replace(/^"(.*)"$/, "$1"));
  return { text, value: (option) => values.get(option) };
}
