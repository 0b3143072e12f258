import * as vscode from "vscode";
import { HotpatchError } from "./hotpatch-program";

/** Anything thrown, as a person reads it. */
export function faultOf(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof HotpatchError) return { code: error.code, message: error.message };
  if (error instanceof vscode.CancellationError) return { code: "interrupted", message: "interrupted" };
  const { data, message } = error as { data?: { code?: string }; message?: string };
  const code = data?.code ?? (/cancel/i.test(message ?? "") ? "interrupted" : "defect");
  return { code, message: message ?? String(error) };
}
