import { type ChildProcess, spawn } from "node:child_process";
import * as vscode from "vscode";
import {
  CloseAction,
  type DynamicFeature,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  State,
  type StaticFeature,
  WorkDoneProgress,
} from "vscode-languageclient/node";
import type { HotpatchProgram } from "./hotpatch-program";

/** Milliseconds within which a second end of the server is one too many. */
const SOON = 3 * 60_000;
/** Lines of standard error that are kept as the reason of an end. */
const LAST_WORDS = 5;
const FILES = "**/{*.c,*.h,*.S,Makefile*,Kbuild*,Kconfig*}";

/** What this client hears of its server. */
export interface ServerListener {
  /** It runs, has ended with a reason and starts again, or has ended for good. */
  changed(state: ServerState): void;
  treesChanged(): void;
}

export type ServerState =
  | { readonly kind: "running"; readonly again?: string }
  | { readonly kind: "starting" }
  | { readonly kind: "ended"; readonly reason: string };

/** The language server, as it runs for this window: started once more when it ends by itself. */
export class Server {
  readonly #program: HotpatchProgram;
  readonly #log: vscode.LogOutputChannel;
  readonly #listener: ServerListener;
  #client: Client | undefined;
  #process: ChildProcess | undefined;
  /** How the process ended; resolved by its end. */
  #end: Promise<string> = Promise.resolve("");
  #lastEnd = Number.NEGATIVE_INFINITY;
  #again: string | undefined;

  constructor(program: HotpatchProgram, log: vscode.LogOutputChannel, listener: ServerListener) {
    this.#program = program;
    this.#log = log;
    this.#listener = listener;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it unless it runs. */
  async start(): Promise<void> {
    this.#client ??= this.#createClient();
    await this.#client.start();
  }

  /** Ends it, and starts it anew. */
  async restart(): Promise<void> {
    this.#lastEnd = Number.NEGATIVE_INFINITY;
    this.#again = undefined;
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.dispose().catch((error: unknown) => this.#log.warn(String(error)));
  }

  /** Asks it something; starts it first where needed. */
  async request<Answer>(method: string, params?: unknown): Promise<Answer> {
    await this.start();
    if (!this.#client) throw new Error("the language server has been stopped");
    return await this.#client.sendRequest<Answer>(method, params);
  }

  /** Has it carry out a command. @param onStep told what it reports while it does */
  async execute<Answer>(
    command: string,
    argument: object,
    token: vscode.CancellationToken,
    onStep: (step: string, percentage: number | undefined) => void,
  ): Promise<Answer> {
    await this.start();
    const client = this.#client;
    if (!client) throw new Error("the language server has been stopped");
    const workDoneToken = `hotpatch-${count++}`;
    const progress = client.onProgress(WorkDoneProgress.type, workDoneToken, (told) => {
      if (told.kind === "report") onStep(told.message ?? "", told.percentage);
    });
    try {
      const params = { command, arguments: [argument], workDoneToken };
      return (await client.sendRequest(ExecuteCommandRequest.type, params, token)) as Answer;
    } finally {
      progress.dispose();
    }
  }

  /** Tells the server that settings count for less, or more, than before. */
  settingsChanged(): void {
    void this.#client?.sendNotification("workspace/didChangeConfiguration", { settings: {} });
  }

  #createClient(): Client {
    const client = new Client("hotpatch", "Hot Patch", () => this.#spawn(), {
      documentSelector: [{ scheme: "file", pattern: FILES }],
      outputChannel: this.#log,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.#closed(),
      },
      middleware: {
        workspace: {
          configuration: async (params, token, next) => {
            const settings = await next(params, token);
            if (vscode.workspace.isTrusted || !Array.isArray(settings)) return settings;
            // Nothing of an untrusted tree is compiled.
            return settings.map((section) => ({ ...section, objectWitness: "off" }));
          },
        },
      },
    });
    client.onNotification("hotpatch/treesChanged", () => this.#listener.treesChanged());
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Starting) this.#listener.changed({ kind: "starting" });
      if (newState !== State.Running) return;
      this.#listener.changed({ kind: "running", ...(this.#again !== undefined && { again: this.#again }) });
      this.#listener.treesChanged();
    });
    return client;
  }

  async #spawn(): Promise<ChildProcess> {
    const { command, script, env } = this.#program;
    const child = spawn(command, [script, "lsp", "--stdio", `--clientProcessId=${process.pid}`], { env });
    this.#process = child;
    const lastWords: string[] = [];
    child.stderr.on("data", (chunk: Buffer) => {
      lastWords.push(...chunk.toString().trimEnd().split("\n"));
      lastWords.splice(0, lastWords.length - LAST_WORDS);
    });
    this.#end = new Promise((resolve) => {
      child.once("error", ({ message }) => resolve(message));
      child.once("close", (status, signal) =>
        resolve([signal ? `ended by ${signal}` : `ended with status ${status}`, ...lastWords].join("\n")),
      );
    });
    return child;
  }

  async #closed() {
    const patience = new Promise<string>((resolve) => setTimeout(resolve, 1000, "it closed the connection"));
    const reason = await Promise.race([this.#end, patience]);
    this.#log.error(`the language server: ${reason}`);
    const now = Date.now();
    const isTooOften = now - this.#lastEnd < SOON;
    this.#lastEnd = now;
    if (isTooOften) {
      this.#listener.changed({ kind: "ended", reason });
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    this.#again = reason;
    return { action: CloseAction.Restart, handled: true };
  }
}

let count = 0;

class Client extends LanguageClient {
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    // The server's commands are ours, too: with progress, trust and errors as this editor has them.
    const isCommands =
      "registrationType" in feature && feature.registrationType.method === ExecuteCommandRequest.method;
    if (!isCommands) super.registerFeature(feature);
  }

  protected override fillInitializeParams(
    params: Parameters<LanguageClient["fillInitializeParams"]>[0],
  ): void {
    super.fillInitializeParams(params);
    params.capabilities.experimental = { hotpatchTrees: true };
  }
}
