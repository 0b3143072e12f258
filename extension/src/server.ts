import { type ChildProcess, spawn } from "node:child_process";
import type * as vscode from "vscode";
import type { HotpatchProgram } from "./hotpatch-program";
import type { Client } from "./language-client";

/** Milliseconds within which a second end of the server is one too many. */
const SOON = 3 * 60_000;
/** Milliseconds that a process which closed the connection has to end. */
const PATIENCE = 1000;
/** Lines of standard error that are kept as the reason of an end. */
const LAST_WORDS = 5;

/** What is to be known of the server. */
export interface ServerListener {
  changed(state: ServerState): void;
  treesChanged(): void;
}

export type ServerState =
  /** `again`: why it was started once more. */
  | { readonly kind: "running"; readonly again?: string }
  | { readonly kind: "starting" }
  /** For good. */
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
    await this.#started();
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
  async request<Answer>(method: string): Promise<Answer> {
    return await (await this.#started()).sendRequest<Answer>(method);
  }

  /** Has it carry out a command. @param onStep told what it reports while it does */
  async execute<Answer>(
    command: string,
    argument: object,
    token: vscode.CancellationToken,
    onStep: (step: string) => void,
  ): Promise<Answer> {
    return (await (await this.#started()).execute(command, argument, token, onStep)) as Answer;
  }

  /** Tells the server that settings count for less, or more, than before. */
  settingsChanged(): void {
    void this.#client?.sendNotification("workspace/didChangeConfiguration", { settings: {} });
  }

  async #started(): Promise<Client> {
    this.#client ??= this.#createClient();
    const client = this.#client;
    await client.start();
    return client;
  }

  #createClient(): Client {
    const { Client }: typeof import("./language-client") = require("./language-client.js");
    return new Client(this.#log, {
      spawn: () => this.#spawn(),
      closed: () => this.#closed(),
      treesChanged: () => this.#listener.treesChanged(),
      changed: (kind) => {
        if (kind === "starting") return this.#listener.changed({ kind });
        this.#listener.changed({ kind, ...(this.#again !== undefined && { again: this.#again }) });
        this.#listener.treesChanged();
      },
    });
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

  async #closed(): Promise<boolean> {
    const silent = new Promise<string>((resolve) =>
      setTimeout(resolve, PATIENCE, "it closed the connection"),
    );
    const reason = await Promise.race([this.#end, silent]);
    this.#log.error(`the language server: ${reason}`);
    const now = Date.now();
    const isTooOften = now - this.#lastEnd < SOON;
    this.#lastEnd = now;
    if (isTooOften) this.#listener.changed({ kind: "ended", reason });
    else this.#again = reason;
    return !isTooOften;
  }
}
