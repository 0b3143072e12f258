import type { FileChange, PatchFile } from "@kernel-hotpatch/kernel/build/patch-files";
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";

/**
 * The patch that makes a change, as `git diff` would write it.
 * @param name for messages, and for the module that is made of it
 */
export function patchOf(name: string, changes: readonly FileChange[]): PatchFile {
  // Every byte is a character: none is lost.
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("latin1");
  const parts = changes.map(({ path, before, after }) => {
    const [old, now] = [before ? `a/${path}` : "/dev/null", after ? `b/${path}` : "/dev/null"];
    return createTwoFilesPatch(old, now, text(before), text(after), "", "", {
      context: 3,
      headerOptions: FILE_HEADERS_ONLY,
    });
  });
  return { name, text: Buffer.from(parts.join(""), "latin1") };
}
