/** One member of an archive. Missing parent folders are the caller's business. */
export type CpioEntry =
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly content: Uint8Array;
      readonly executable?: boolean;
    }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string }
  | {
      readonly kind: "character-device";
      readonly path: string;
      readonly major: number;
      readonly minor: number;
    };

const TYPE_AND_MODE = {
  directory: 0o040755,
  file: 0o100644,
  symlink: 0o120777,
  "character-device": 0o020600,
};

/**
 * An archive in the kernel's initramfs format "newc" (Documentation/driver-api/early-userspace/buffer-format.rst).
 * The same entries give the same bytes: everything belongs to root, has time 0 and is numbered in the order given.
 * @param entries paths relative to the root, without a leading `/`; folders before what they hold
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  return Buffer.concat([
    ...entries.flatMap((entry, index) => member(entry, index + 1)),
    ...member(undefined, 0),
  ]);
}

/** Header, name and content, each padded to 4 bytes; the trailer that ends an archive for no entry. */
function member(entry: CpioEntry | undefined, inode: number): Buffer[] {
  const content = contentOf(entry);
  const name = Buffer.from(`${entry?.path ?? "TRAILER!!!"}\0`);
  const [major, minor] = entry?.kind === "character-device" ? [entry.major, entry.minor] : [0, 0];
  const fields = [
    inode,
    modeOf(entry),
    0, // uid
    0, // gid
    entry?.kind === "directory" ? 2 : 1, // links
    0, // mtime
    content.length,
    0, // major and minor number of the device that holds the file
    0,
    major,
    minor,
    name.length,
    0, // checksum, not used by newc
  ];
  const header = `070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join("")}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(content)];
}

function modeOf(entry: CpioEntry | undefined): number {
  if (entry === undefined) return 0;
  return TYPE_AND_MODE[entry.kind] | (entry.kind === "file" && entry.executable ? 0o111 : 0);
}

function contentOf(entry: CpioEntry | undefined): Buffer {
  if (entry?.kind === "file")
    return Buffer.from(entry.content.buffer, entry.content.byteOffset, entry.content.length);
  return Buffer.from(entry?.kind === "symlink" ? entry.target : "");
}

function padded(bytes: Buffer): Buffer {
  const missing = -bytes.length & 3;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
