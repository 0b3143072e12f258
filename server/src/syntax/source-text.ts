import { readFile } from "node:fs/promises";

/**
 * A source file as text: UTF-8 where it is valid, else Latin-1, of which every byte is a character. Old kernel files
 * hold names in Latin-1; no byte may be lost or moved.
 * @throws the system's error when the file cannot be read
 */
export async function readSource(path: string): Promise<string> {
  return decodeSource(await readFile(path));
}

/** @see readSource */
export function decodeSource(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  }
}
