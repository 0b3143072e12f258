import { resolve } from "node:path";
import { Fault } from "../host/fault.js";

/** What a person calls a kernel. */
export type KernelName =
  | { readonly kind: "release"; readonly id: string }
  | { readonly kind: "latest"; readonly id: string }
  | { readonly kind: "tree"; readonly id: string; readonly path: string };

/**
 * Reads `debian/<release>`, `debian/latest-amd64`, `debian/latest-arm64` or `tree:PATH`.
 * @returns the name with its id made unique: a tree's path is absolute
 * @throws Fault `bad-input` for anything else
 */
export function parseKernelName(id: string): KernelName {
  if (id.startsWith("tree:") && id.length > "tree:".length) {
    const path = resolve(id.slice("tree:".length));
    return { kind: "tree", id: `tree:${path}`, path };
  }
  if (/^debian\/latest-(amd64|arm64)$/.test(id)) return { kind: "latest", id };
  if (/^debian\/\d[A-Za-z0-9.+~-]*-(amd64|arm64)$/.test(id)) return { kind: "release", id };
  throw new Fault("bad-input", `'${id}' names no kernel`, {
    remedy:
      "name one as debian/latest-amd64, debian/latest-arm64, debian/RELEASE (see uname -r) or tree:PATH",
  });
}
