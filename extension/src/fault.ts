import { HotpatchError } from "./hotpatch-program";

/** `LSPErrorCodes.RequestCancelled` of the protocol. */
const REQUEST_CANCELLED = -32800;

/** Anything thrown, as a person reads it. */
export function faultOf(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof HotpatchError) return { code: error.code, message: error.message };
  const { code, data, message } = error as { code?: unknown; data?: { code?: string }; message?: string };
  const isCancelled = code === REQUEST_CANCELLED;
  return { code: isCancelled ? "interrupted" : (data?.code ?? "defect"), message: message ?? String(error) };
}
