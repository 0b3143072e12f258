import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  type ClientCapabilities,
  createProtocolConnection,
  type Diagnostic,
  type ProtocolConnection,
  type PublishDiagnosticsParams,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver/node";

const BINARY = fileURLToPath(new URL("../server/bin/hotpatch.js", import.meta.url));
const BUILT = fileURLToPath(new URL("../../server/bin/hotpatch.js", import.meta.url));

/** How the server is started. */
export interface EditorStart {
  readonly env?: Readonly<Record<string, string>>;
  /** What the editor can do; by default what a plain one can: it is told, and asks for nothing. */
  readonly capabilities?: ClientCapabilities;
  /** The settings under `hotpatch`. */
  readonly settings?: Record<string, unknown>;
}

/** An editor as far as its server sees it: a client of the real server, over standard input and output. */
export class Editor {
  readonly server: ChildProcessWithoutNullStreams;
  readonly connection: ProtocolConnection;
  /** What the server logged, and what it wrote to standard error. */
  readonly log: string[] = [];
  /** Exit status of the server; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly #published = new Map<string, PublishDiagnosticsParams>();
  readonly #listeners = new Set<() => void>();
  readonly #versions = new Map<string, number>();
  #settings: Record<string, unknown>;

  constructor({ env, settings }: EditorStart) {
    // Compiled tests lie one folder deeper.
    const binary = import.meta.url.endsWith(".ts") ? BINARY : BUILT;
    this.server = spawn(process.execPath, [binary, "lsp", "--stdio"], { env: { ...process.env, ...env } });
    this.#settings = settings ?? {};
    this.ended = new Promise((resolve) => {
      this.server.on("close", (status) => {
        for (const listener of this.#listeners) listener();
        resolve(status);
      });
    });
    this.server.stderr.on("data", (chunk: Buffer) => this.log.push(String(chunk)));
    this.server.stdin.on("error", () => undefined);
    this.connection = createProtocolConnection(
      new StreamMessageReader(this.server.stdout),
      new StreamMessageWriter(this.server.stdin),
    );
    this.connection.onNotification("window/logMessage", ({ message }: { message: string }) => {
      this.log.push(message);
    });
    this.connection.onNotification("textDocument/publishDiagnostics", (told: PublishDiagnosticsParams) => {
      this.#published.set(told.uri, told);
      for (const listener of this.#listeners) listener();
    });
    this.connection.onRequest("workspace/configuration", ({ items }: { items: unknown[] }) =>
      items.map(() => this.#settings),
    );
    this.connection.onRequest("client/registerCapability", () => null);
    this.connection.onRequest("window/workDoneProgress/create", () => null);
    this.connection.listen();
  }

  /** Sets the settings anew. */
  async configure(settings: Record<string, unknown>): Promise<void> {
    this.#settings = settings;
    await this.notify("workspace/didChangeConfiguration", { settings: { hotpatch: settings } });
  }

  async request<Result>(method: string, params: unknown): Promise<Result> {
    return await this.connection.sendRequest<Result>(method, params);
  }

  async notify(method: string, params: unknown): Promise<void> {
    await this.connection.sendNotification(method, params);
  }

  /** Opens a file. @param text what the editor shows; by default what is on disk */
  async open(path: string, text?: string): Promise<string> {
    const uri = pathToFileURL(path).href;
    this.#versions.set(uri, 1);
    const shown = text ?? (await readFile(path, "utf8"));
    const textDocument = { uri, languageId: "c", version: 1, text: shown };
    await this.notify("textDocument/didOpen", { textDocument });
    return uri;
  }

  /** Replaces a text, as a whole or by edits. @returns the version that it has now */
  async change(uri: string, change: string | readonly object[]): Promise<number> {
    const version = (this.#versions.get(uri) ?? 0) + 1;
    this.#versions.set(uri, version);
    const contentChanges = typeof change === "string" ? [{ text: change }] : change;
    await this.notify("textDocument/didChange", { textDocument: { uri, version }, contentChanges });
    return version;
  }

  /** What is shown of a document now; empty before anything was told. */
  shown(uri: string): readonly Diagnostic[] {
    return this.#published.get(uri)?.diagnostics ?? [];
  }

  /** Waits until what is shown of a document is as wanted. @param version told for it or a later one */
  async until(
    uri: string,
    isWanted: (shown: readonly Diagnostic[], rules: readonly string[]) => boolean,
    version = 0,
  ): Promise<readonly Diagnostic[]> {
    return await new Promise((resolve, reject) => {
      const look = () => {
        const told = this.#published.get(uri);
        const rules = (told?.diagnostics ?? []).map(({ code }) => String(code ?? ""));
        const isNew = told !== undefined && (told.version ?? 0) >= version;
        if (isNew && isWanted(told.diagnostics, rules)) {
          this.#listeners.delete(look);
          resolve(told.diagnostics);
        } else if (this.server.exitCode !== null)
          reject(new Error(`the server ended with ${this.server.exitCode}: ${this.log.join("\n")}`));
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Waits until a document shows a rule. */
  async untilRule(uri: string, rule: string): Promise<Diagnostic> {
    const shown = await this.until(uri, (_, rules) => rules.includes(rule));
    const found = shown.find(({ code }) => code === rule);
    if (!found) throw new Error(`no ${rule}`);
    return found;
  }

  /** Ends the server as an editor does. @returns its exit status */
  async stop(): Promise<number | null> {
    await this.connection.sendRequest("shutdown");
    await this.connection.sendNotification("exit");
    return await this.ended;
  }

  /** Ends the server by a signal. @returns its exit status */
  async kill(): Promise<number | null> {
    this.server.kill();
    return await this.ended;
  }
}

/** Starts the server and shakes hands with it. @param folders that the editor has opened */
export async function startEditor(folders: readonly string[], start: EditorStart = {}): Promise<Editor> {
  const editor = new Editor(start);
  await editor.connection.sendRequest("initialize", {
    processId: process.pid,
    capabilities: start.capabilities ?? {},
    rootUri: null,
    workspaceFolders: folders.map((folder) => ({ uri: pathToFileURL(folder).href, name: folder })),
    initializationOptions: start.settings,
  });
  await editor.connection.sendNotification("initialized", {});
  return editor;
}
