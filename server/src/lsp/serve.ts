import type { Work } from "@kernel-hotpatch/kernel/host/work";
import {
  type Connection,
  createConnection,
  type Diagnostic,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  DocumentDiagnosticReportKind,
  type InitializeParams,
  ProposedFeatures,
  type ServerCapabilities,
  TextDocumentSyncKind,
  TextDocuments,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { tool } from "../review/tool.js";
import { loadEngine } from "../syntax/engine.js";
import { inWords } from "./kernel-tree.js";
import { readSettings, type Settings } from "./settings.js";
import { Trees } from "./trees.js";

/**
 * Serves one editor until it closes the connection; the process ends with it.
 * @param work its progress is not used: requests report their own
 */
export function serve(work: Work, input: NodeJS.ReadableStream, output: NodeJS.WritableStream): void {
  const connection = createConnection(ProposedFeatures.all, input, output);
  const documents = new TextDocuments(TextDocument);
  let client: InitializeParams["capabilities"] = {};
  let pulls = false;
  let sent: unknown;
  const log = (message: string) => connection.console.warn(message);

  const settingsFor = async (uri: string): Promise<Settings> => {
    if (!client.workspace?.configuration) return readSettings(sent);
    const item = { scopeUri: uri, section: "hotpatch" };
    return readSettings(await connection.workspace.getConfiguration(item).catch(() => sent));
  };
  const show = (uri: string, version: number, diagnostics: Diagnostic[]) =>
    void connection.sendDiagnostics({ uri, version, diagnostics });
  const trees = new Trees(work, settingsFor, {
    log,
    judged(uri) {
      if (pulls) refreshSoon();
      else publish(uri);
    },
  });
  const publish = (uri: string) => {
    const document = documents.get(uri);
    if (document) show(uri, document.version, trees.diagnosticsOf(uri));
  };
  const refreshSoon = together(() =>
    connection.languages.diagnostics.refresh().catch((error: unknown) => log(inWords(error))),
  );

  connection.onInitialize((params) => {
    client = params.capabilities;
    sent = params.initializationOptions;
    pulls =
      client.textDocument?.diagnostic !== undefined && client.workspace?.diagnostics?.refreshSupport === true;
    return { capabilities: capabilities(pulls), serverInfo: { name: tool.name, version: tool.version } };
  });
  connection.onInitialized(() => {
    void register(connection, client).catch((error: unknown) => log(inWords(error)));
    // The first file is waiting for it, as a rule.
    void loadEngine().catch((error: unknown) => log(inWords(error)));
  });
  connection.onDidChangeConfiguration(({ settings }) => {
    if (!client.workspace?.configuration) sent = hotpatchOf(settings);
    void trees.reopen().catch((error: unknown) => log(inWords(error)));
  });
  connection.onDidChangeWatchedFiles(({ changes }) => trees.filesWritten(changes.map(({ uri }) => uri)));

  documents.onDidOpen(({ document }) => trees.open(document));
  documents.onDidChangeContent(({ document }) => trees.edit(document));
  documents.onDidSave(({ document }) => trees.saved(document.uri));
  documents.onDidClose(({ document }) => {
    trees.close(document.uri);
    if (!pulls) show(document.uri, document.version, []);
  });
  connection.languages.diagnostics.on(async ({ textDocument: { uri } }) => {
    await trees.opened(uri);
    return { kind: DocumentDiagnosticReportKind.Full, items: trees.diagnosticsOf(uri) };
  });

  documents.listen(connection);
  connection.listen();
}

function capabilities(pulls: boolean): ServerCapabilities {
  return {
    textDocumentSync: {
      openClose: true,
      change: TextDocumentSyncKind.Incremental,
      save: { includeText: false },
    },
    ...(pulls && {
      diagnosticProvider: {
        identifier: "hotpatch",
        interFileDependencies: true,
        workspaceDiagnostics: false,
      },
    }),
    workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
  };
}

/** Asks to be told of settings and files, of clients that can be asked. */
async function register(connection: Connection, client: InitializeParams["capabilities"]): Promise<void> {
  if (client.workspace?.didChangeConfiguration?.dynamicRegistration)
    await connection.client.register(DidChangeConfigurationNotification.type, { section: "hotpatch" });
  if (client.workspace?.didChangeWatchedFiles?.dynamicRegistration)
    await connection.client.register(DidChangeWatchedFilesNotification.type, {
      watchers: [
        "**/*.{c,h,S}",
        "**/{Makefile,Kbuild,Kconfig}*",
        "**/.config",
        "**/.git/{HEAD,logs/HEAD}",
      ].map((globPattern) => ({ globPattern })),
    });
}

/** `hotpatch` of what an editor sends, which may be the section itself. */
function hotpatchOf(settings: unknown): unknown {
  const whole = settings as { hotpatch?: unknown } | null | undefined;
  return whole?.hotpatch ?? settings;
}

/** Does something once for all calls of a moment. */
function together(act: () => unknown): () => void {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      act();
    }, 20);
  };
}
