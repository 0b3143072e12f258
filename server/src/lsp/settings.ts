/** What a person sets in the editor, under `hotpatch`. */
export interface Settings {
  /** The kernel to patch, as `--kernel` takes it; undefined for the one that reviews would use. */
  readonly kernel: string | undefined;
  /** A commit that files are compared with; undefined for HEAD. */
  readonly base: string | undefined;
  /** When changes are compiled and their objects compared. */
  readonly objectWitness: "off" | "onSave" | "onDemand";
}

export const DEFAULT_SETTINGS: Settings = { kernel: undefined, base: undefined, objectWitness: "onDemand" };

/** Settings as an editor sends them; what makes no sense is left at its default. */
export function readSettings(sent: unknown): Settings {
  const { kernel, base, objectWitness } = isObject(sent) ? sent : {};
  return {
    kernel: nameIn(kernel),
    base: nameIn(base),
    objectWitness:
      objectWitness === "off" || objectWitness === "onSave" ? objectWitness : DEFAULT_SETTINGS.objectWitness,
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function nameIn(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}
