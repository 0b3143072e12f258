import type { ChildProcess } from "node:child_process";
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

const FILES = "**/{*.c,*.h,*.S,Makefile*,Kbuild*,Kconfig*}";

/** What a client needs of whoever runs the server. */
export interface ClientHost {
  spawn(): Promise<ChildProcess>;
  /** The connection has ended. @returns whether the server is to be started again */
  closed(): Promise<boolean>;
  changed(state: "starting" | "running"): void;
  treesChanged(): void;
}

/** A client of the language server, and nothing more; this module takes long to load, and is loaded late. */
export class Client extends LanguageClient {
  constructor(log: vscode.LogOutputChannel, host: ClientHost) {
    super("hotpatch", "Hot Patch", () => host.spawn(), {
      documentSelector: [{ scheme: "file", pattern: FILES }],
      outputChannel: log,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: async () => ({
          action: (await host.closed()) ? CloseAction.Restart : CloseAction.DoNotRestart,
          handled: true,
        }),
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
    this.onNotification("hotpatch/treesChanged", () => host.treesChanged());
    this.onDidChangeState(({ newState }) => {
      if (newState === State.Starting) host.changed("starting");
      if (newState === State.Running) host.changed("running");
    });
  }

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

  /** Has the server carry out a command. @param onStep told what it reports while it does */
  async execute(
    command: string,
    argument: object,
    token: vscode.CancellationToken,
    onStep: (step: string) => void,
  ): Promise<unknown> {
    const workDoneToken = `hotpatch-${count++}`;
    const progress = this.onProgress(WorkDoneProgress.type, workDoneToken, (told) => {
      if (told.kind === "report") onStep(told.message ?? "");
    });
    try {
      const params = { command, arguments: [argument], workDoneToken };
      return await this.sendRequest(ExecuteCommandRequest.type, params, token);
    } finally {
      progress.dispose();
    }
  }
}

let count = 0;
