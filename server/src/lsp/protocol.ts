import { createRequire } from "node:module";

/**
 * The language server protocol. Its library is CommonJS: an `import` has Node read every file of it once more, for the names
 * that it exports, which is a third of the time to the first diagnostics.
 */
const library: typeof import("vscode-languageserver/node") = createRequire(import.meta.url)(
  "vscode-languageserver/node",
);

export const {
  CodeActionKind,
  CodeLensRefreshRequest,
  createConnection,
  DiagnosticSeverity,
  DiagnosticTag,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  DocumentDiagnosticReportKind,
  ErrorCodes,
  ExecuteCommandRequest,
  InlayHintKind,
  LSPErrorCodes,
  MarkupKind,
  ProposedFeatures,
  ResponseError,
  SymbolKind,
  TextDocuments,
  TextDocumentSyncKind,
} = library;

export type DiagnosticSeverity = import("vscode-languageserver/node").DiagnosticSeverity;
export type SymbolKind = import("vscode-languageserver/node").SymbolKind;
export type ResponseError<Data> = import("vscode-languageserver/node").ResponseError<Data>;
