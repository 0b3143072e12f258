import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import {
  CodeActionKind,
  CodeLensRefreshRequest,
  type Connection,
  createConnection,
  type Diagnostic,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  DocumentDiagnosticReportKind,
  ErrorCodes,
  ExecuteCommandRequest,
  type InitializeParams,
  LSPErrorCodes,
  ProposedFeatures,
  ResponseError,
  type ServerCapabilities,
  TextDocumentSyncKind,
  TextDocuments,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { asFault } from "../review/as-fault.js";
import { tool } from "../review/tool.js";
import { loadEngine } from "../syntax/engine.js";
import { codeActionsOf, withoutVersions } from "./code-actions.js";
import { codeLensesOf } from "./code-lenses.js";
import { COMMANDS, readTarget } from "./commands.js";
import { hoverOf } from "./hover.js";
import { inlayHintsOf } from "./inlay-hints.js";
import { inWords } from "./kernel-tree.js";
import { ObjectWitness } from "./object-witness.js";
import { Progress } from "./progress.js";
import { readSettings, type Settings } from "./settings.js";
import { documentSymbolsOf, workspaceSymbolsOf } from "./symbols.js";
import { TREES, TREES_CHANGED, treeStateOf } from "./tree-state.js";
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
  const progress = new Progress(connection, () => client.window?.workDoneProgress === true);
  const witness = new ObjectWitness();
  const show = (uri: string, version: number, diagnostics: Diagnostic[]) =>
    void connection.sendDiagnostics({ uri, version, diagnostics });
  const trees = new Trees(work, settingsFor, {
    log,
    answered() {
      const { codeLens, inlayHint } = client.workspace ?? {};
      const refresh = [
        ...(codeLens?.refreshSupport ? [connection.sendRequest(CodeLensRefreshRequest.type)] : []),
        ...(inlayHint?.refreshSupport ? [connection.languages.inlayHint.refresh()] : []),
      ];
      Promise.all(refresh).catch((error: unknown) => log(inWords(error)));
      treesChanged();
    },
    judged(uri) {
      treesChanged();
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
  const treesChanged = together(() => {
    const { hotpatchTrees } = (client.experimental ?? {}) as { hotpatchTrees?: boolean };
    if (hotpatchTrees) void connection.sendNotification(TREES_CHANGED);
  }, 250);

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
  documents.onDidSave(({ document: { uri } }) => {
    trees.saved(uri);
    const judged = trees.judged(uri);
    if (judged?.settings.objectWitness !== "onSave") return;
    void progress
      .during("Comparing objects", undefined, (during) => witness.ask({ ...work, ...during }, judged.tree))
      .catch((error: unknown) => log(inWords(error)));
  });
  documents.onDidClose(({ document }) => {
    trees.close(document.uri);
    treesChanged();
    if (!pulls) show(document.uri, document.version, []);
  });
  connection.languages.diagnostics.on(async ({ textDocument: { uri } }) => {
    await trees.opened(uri);
    return { kind: DocumentDiagnosticReportKind.Full, items: trees.diagnosticsOf(uri) };
  });

  connection.onCodeAction(async ({ textDocument: { uri }, range, context }) => {
    const judged = await trees.opened(uri);
    const isWanted = context.only?.some((kind) => CodeActionKind.QuickFix.startsWith(kind)) ?? true;
    if (!judged || !isWanted) return [];
    const actions = codeActionsOf(judged.tree, judged.file, range);
    if (client.workspace?.workspaceEdit?.documentChanges) return actions;
    return actions.map(({ edit, ...action }) => ({
      ...action,
      ...(edit && { edit: withoutVersions(edit) }),
    }));
  });
  connection.onHover(async ({ textDocument: { uri }, position }) => {
    const judged = await trees.opened(uri);
    return judged && hoverOf(judged.tree, judged.file, position);
  });
  connection.onCodeLens(async ({ textDocument: { uri } }) => {
    const judged = await trees.opened(uri);
    return judged && codeLensesOf(judged.tree, judged.file);
  });
  connection.languages.inlayHint.on(async ({ textDocument: { uri }, range }) => {
    const judged = await trees.opened(uri);
    return judged && inlayHintsOf(judged.tree, judged.file, range);
  });
  connection.onDocumentSymbol(async ({ textDocument: { uri } }) => {
    const judged = await trees.opened(uri);
    return judged && documentSymbolsOf(judged.tree, judged.file);
  });
  connection.onWorkspaceSymbol(({ query }) => trees.all.flatMap((tree) => workspaceSymbolsOf(tree, query)));
  // By its bare request: onExecuteCommand keeps from us whether the editor shows progress of its own.
  connection.onRequest(
    ExecuteCommandRequest.type,
    async ({ command, arguments: [argument] = [], workDoneToken }, token) => {
      const known = COMMANDS[command];
      if (!known) throw new ResponseError(ErrorCodes.InvalidParams, `no command '${command}'`);
      const target = readTarget(argument);
      const tree = await trees.tree(target.uri);
      if (!tree)
        throw new ResponseError(
          LSPErrorCodes.RequestFailed,
          target.uri === undefined
            ? "which kernel tree is meant? Name a document of it"
            : `${target.uri} is in no kernel tree that is open`,
        );
      return await progress
        .during(known.title, { workDoneToken, token }, (during) =>
          known.run({ ...work, ...during }, tree, target),
        )
        .catch((error: unknown) => {
          throw responseError(error);
        });
    },
  );
  connection.onRequest(TREES, async () => (await trees.judgedTrees()).map(treeStateOf));
  connection.onShutdown(() => trees.dispose());

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
    codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
    hoverProvider: true,
    codeLensProvider: {},
    inlayHintProvider: true,
    documentSymbolProvider: { label: "Hot patch" },
    workspaceSymbolProvider: true,
    executeCommandProvider: { commands: Object.keys(COMMANDS), workDoneProgress: true },
    workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
  };
}

/** An error as a person reads it in the editor; what they can do about it is part of its one line. */
function responseError(error: unknown): ResponseError<unknown> {
  const fault = asFault(error);
  if (!(fault instanceof Fault)) return new ResponseError(ErrorCodes.InternalError, inWords(error));
  const code = fault.code === "interrupted" ? LSPErrorCodes.RequestCancelled : LSPErrorCodes.RequestFailed;
  const { message, remedy, detail } = fault;
  return new ResponseError(code, inWords(fault), { code: fault.code, message, remedy, detail });
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

/** Does something once for all calls of a moment. @param milliseconds how long that is */
function together(act: () => unknown, milliseconds = 20): () => void {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      act();
    }, milliseconds);
  };
}
