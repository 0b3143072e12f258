import type { TreeState } from "@kernel-hotpatch/server/lsp/tree-state";
import type { Review } from "@kernel-hotpatch/server/review/review";
import * as vscode from "vscode";
import type { CommandId } from "./command-ids";
import { Doctor } from "./doctor";
import { faultOf } from "./fault";
import { HotpatchError, type HotpatchProgram, hotpatchProgram } from "./hotpatch-program";
import { addedKernels, pickKernel } from "./kernels";
import { PatchView } from "./patch-view";
import { PicturePanel } from "./picture-panel";
import { makeSample, showSample } from "./sample";
import { SandboxTests } from "./sandbox-tests";
import { Server, type ServerState } from "./server";
import { Status } from "./status";
import { documentIn, Trees } from "./trees";

/** Everything that runs in a window once a file of a kernel tree is shown or a command is given. */
export function openSession(context: vscode.ExtensionContext): Session {
  return new Session(context);
}

export class Session {
  readonly trees = new Trees();
  readonly status = new Status();
  readonly picture = new PicturePanel(this.trees);
  readonly tests: SandboxTests;
  readonly server: Server;
  readonly #context: vscode.ExtensionContext;
  readonly #program: HotpatchProgram;
  readonly #doctor: Doctor;
  readonly #log = vscode.window.createOutputChannel("Hot Patch", { log: true });
  readonly #console = vscode.window.createOutputChannel("Hot Patch: Guest Console");
  readonly #view: vscode.TreeView<unknown>;
  readonly #disposables: vscode.Disposable[];
  #state: ServerState = { kind: "starting" };
  /** Answers to requests for the trees that came late are of no use. */
  #asked = 0;

  constructor(context: vscode.ExtensionContext) {
    this.#context = context;
    this.#program = hotpatchProgram(context.extensionPath);
    this.#doctor = new Doctor(this.#program);
    this.server = new Server(this.#program, this.#log, {
      changed: (state) => this.#serverChanged(state),
      treesChanged: () => void this.#askTrees().catch((error: unknown) => this.#log.warn(String(error))),
    });
    this.tests = new SandboxTests(this.trees, {
      kernels: async () => (await addedKernels(this.#program)).map(({ id }) => id),
      failed: (error) => void this.#tell(error),
      prove: (target, token, onStep) => this.#prove(target, token, onStep),
    });
    const provider = new PatchView(this.trees);
    this.#view = vscode.window.createTreeView("hotpatch.patch", { treeDataProvider: provider });
    this.#disposables = [
      this.trees,
      this.status,
      this.picture,
      this.tests,
      this.#doctor,
      this.#log,
      this.#console,
      provider,
      this.#view,
      this.trees.onDidChange(() => this.#treesShown()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.server.settingsChanged()),
    ];
  }

  /** Notes that a file of a kernel tree is looked at, and has the server look, too. */
  attend(file: vscode.Uri): void {
    void vscode.commands.executeCommand("setContext", "hotpatch.hasTree", true);
    this.trees.attend(file);
    this.status.show(this.#state, this.trees.main);
    // It says by its state that it has ended.
    if (this.#state.kind !== "ended")
      this.server.start().catch((error: unknown) => this.#log.error(String(error)));
  }

  /** Carries out a command; what goes wrong is told, not thrown. */
  async run(id: CommandId, args: readonly unknown[]): Promise<unknown> {
    try {
      return await this.#commands[id](args);
    } catch (error) {
      await this.#tell(error);
      return undefined;
    }
  }

  dispose(): void {
    void this.server.stop();
    for (const disposable of this.#disposables) disposable.dispose();
  }

  readonly #commands: Readonly<Record<CommandId, (args: readonly unknown[]) => Promise<unknown>>> = {
    "hotpatch.check": async (args) => {
      const review = await this.#during<Review>("hotpatch.check", "Checking the change", args);
      const said = `The source of the change is judged ${review.verdict}: ${named(review.findings.length, "finding")}.`;
      void this.#said(said, {
        "Show Problems": () => vscode.commands.executeCommand("workbench.actions.view.problems"),
      });
      return review;
    },
    "hotpatch.build": async (args) => {
      this.#requireTrust();
      const review = await this.#during<Review>("hotpatch.build", "Building the hot patch", args);
      const { module } = review;
      void (module
        ? this.#said(`${module.path} redirects ${named(module.functions.length, "function")}.`, {
            "Prove in Sandbox": () => vscode.commands.executeCommand("hotpatch.review", ...args),
            "Show Picture": () => vscode.commands.executeCommand("hotpatch.showPicture"),
            "Copy Path": () => vscode.env.clipboard.writeText(module.path),
          })
        : this.#said("No module was made: the view says what stands in the way.", {
            "Show View": () => vscode.commands.executeCommand("hotpatch.patch.focus"),
          }));
      return review;
    },
    "hotpatch.review": async (args) => {
      this.#requireTrust();
      const root = await this.#rootOf(await this.#target(args));
      const review = await withProgress("Proving the hot patch", (token, onStep) =>
        this.tests.proveTree(root, token, onStep),
      );
      const isProven = review.sandbox?.outcome === "finished" && review.verdict !== "unsafe";
      if (isProven) void vscode.commands.executeCommand("setContext", "hotpatch.proven", true);
      void this.#said(
        `The change is judged ${review.verdict}${review.sandbox ? `; the sandbox ${review.sandbox.outcome}` : ""}.`,
        {
          "Show Picture": () => vscode.commands.executeCommand("hotpatch.showPicture"),
          "Guest Console": async () => this.#console.show(true),
        },
      );
      return review;
    },
    "hotpatch.showPicture": async () => this.picture.show(),
    "hotpatch.doctor": () => this.#doctor.ask(),
    "hotpatch.pickKernel": async () => {
      const roots = this.trees.all.map(({ root }) => vscode.Uri.parse(root).fsPath);
      const kernel = await pickKernel(this.#program, roots, this.#log);
      if (kernel === undefined) return undefined;
      const where = vscode.workspace.workspaceFolders
        ? vscode.ConfigurationTarget.Workspace
        : vscode.ConfigurationTarget.Global;
      await vscode.workspace.getConfiguration("hotpatch").update("kernel", kernel, where);
      this.tests.kernelsChanged();
      return kernel;
    },
    "hotpatch.openSample": async () => {
      const kernels = await addedKernels(this.#program);
      const chosen = vscode.workspace.getConfiguration("hotpatch").get<string>("kernel");
      const kernel =
        kernels.find(({ id }) => id === chosen) ?? kernels.findLast(({ arch }) => arch === "x86_64");
      if (!kernel)
        throw new HotpatchError("bad-input", "The sample is a patch of a kernel, and none was added yet");
      const file = await makeSample(this.#context.globalStorageUri.fsPath, kernel);
      await showSample(file);
      return file.toString();
    },
    "hotpatch.restartServer": () => this.server.restart(),
    "hotpatch.showLog": async () => this.#log.show(),
    "hotpatch.showConsole": async () => this.#console.show(),
    "hotpatch.openPlace": async ([uri, line, column]) => {
      const at = new vscode.Position(Math.max(0, Number(line) - 1), Math.max(0, Number(column) - 1));
      await vscode.window.showTextDocument(vscode.Uri.parse(String(uri)), {
        selection: new vscode.Range(at, at),
        viewColumn: vscode.ViewColumn.One,
      });
    },
  };

  /** Has the server carry out a command on the tree that is meant. */
  async #during<Answer>(command: string, title: string, args: readonly unknown[]): Promise<Answer> {
    const [given] = args;
    const argument = typeof given === "object" && given !== null ? given : {};
    const uri = (await this.#target(args)).toString();
    const answer = await withProgress(title, (token, onStep) =>
      this.server.execute<Answer>(command, { ...argument, uri }, token, onStep),
    );
    await this.#askTrees();
    return answer;
  }

  async #prove(
    target: { readonly root: string; readonly tests: readonly string[]; readonly kernel?: string },
    token: vscode.CancellationToken,
    onStep: (step: string) => void,
  ): Promise<Review> {
    this.#requireTrust();
    const { root, tests, kernel } = target;
    const uri = await documentIn(vscode.Uri.parse(root));
    const argument = { uri: uri.toString(), tests, ...(kernel !== undefined && { kernel }) };
    const review = await this.server.execute<Review>("hotpatch.review", argument, token, onStep);
    await this.#askTrees();
    this.#showConsole(review);
    return review;
  }

  /** A document of the tree that a command is about. */
  async #target([argument]: readonly unknown[]): Promise<vscode.Uri> {
    const given =
      typeof argument === "object" && argument !== null && "uri" in argument ? argument.uri : undefined;
    const active = vscode.window.activeTextEditor?.document.uri;
    // Editor titles give a Uri, lenses the text of one.
    if (argument instanceof vscode.Uri) return argument;
    if (typeof given === "string") return vscode.Uri.parse(given);
    if (active && this.trees.of(active)) return active;
    const [first] = vscode.workspace.workspaceFolders ?? [];
    const root = this.trees.main ? vscode.Uri.parse(this.trees.main.root) : first?.uri;
    const found = root && (await documentIn(root).catch(() => undefined));
    if (!found) throw new HotpatchError("bad-input", "Open a file of a kernel tree first");
    return found;
  }

  /** The tree that a document is in, by the server's name for it. */
  async #rootOf(document: vscode.Uri): Promise<string> {
    // The server may not have told of it yet.
    await this.#askTrees();
    const own = this.trees.of(document);
    if (!own) throw new HotpatchError("bad-input", `${document.fsPath} is in no kernel tree that is open`);
    return own.root;
  }

  #requireTrust(): void {
    if (!vscode.workspace.isTrusted)
      throw new HotpatchError(
        "untrusted",
        "This workspace is not trusted: nothing of it is compiled or booted",
      );
  }

  #showConsole({ sandbox }: Review): void {
    this.#console.replace(sandbox?.kernelLog.replaceAll("\r", "") ?? "");
  }

  async #askTrees(): Promise<void> {
    const asked = ++this.#asked;
    const states = await this.server.request<TreeState[]>("hotpatch/trees");
    if (asked !== this.#asked) return;
    this.trees.set(states);
    const active = vscode.window.activeTextEditor?.document.uri;
    if (active) this.trees.attend(active);
  }

  #serverChanged(state: ServerState): void {
    this.#state = state;
    if (state.kind === "ended") this.trees.set([]);
    this.status.show(state, this.trees.main);
    if (state.kind === "running" && state.again !== undefined)
      void this.#said(`The language server was started again; it was ${state.again.split("\n")[0]}.`, {
        "Show Log": async () => this.#log.show(true),
      });
    if (state.kind === "ended")
      void this.#said(
        `The language server has ended twice (${state.reason.split("\n")[0]}) and is not started again by itself.`,
        {
          "Start It": () => vscode.commands.executeCommand("hotpatch.restartServer"),
          "Show Log": async () => this.#log.show(true),
        },
      );
  }

  #treesShown(): void {
    const { main } = this.trees;
    this.status.show(this.#state, main);
    const unsafe = main?.files
      .flatMap(({ findings }) => findings)
      .filter(({ severity, suppressed }) => severity === "unsafe" && !suppressed);
    this.#view.badge = unsafe?.length
      ? { value: unsafe.length, tooltip: named(unsafe.length, "unsafe finding") }
      : undefined;
    this.#view.message =
      main && main.verdict === null
        ? `Nothing differs from ${main.base}. Change a function, and see here what it means.`
        : "";
  }

  /** Says something that came of a command, with what can be done next. */
  async #said(
    message: string,
    actions: Readonly<Record<string, () => Thenable<unknown>>>,
    show: (message: string, ...items: string[]) => Thenable<string | undefined> = vscode.window
      .showInformationMessage,
  ): Promise<void> {
    const chosen = await show(message, ...Object.keys(actions));
    if (chosen !== undefined) await actions[chosen]?.();
  }

  async #tell(error: unknown): Promise<void> {
    const { code, message } = faultOf(error);
    if (code === "interrupted") return;
    this.#log.error(message);
    const actions: Readonly<Record<string, () => Thenable<unknown>>> =
      code === "untrusted"
        ? { "Manage Trust": () => vscode.commands.executeCommand("workbench.trust.manage") }
        : {
            ...(code === "lacking" && { Doctor: () => vscode.commands.executeCommand("hotpatch.doctor") }),
            ...(/none was added|no kernel was added/.test(message) && {
              "Choose Kernel": () => vscode.commands.executeCommand("hotpatch.pickKernel"),
            }),
            "Show Log": async () => this.#log.show(true),
          };
    // Whoever gave the command need not wait until somebody has read it.
    void this.#said(message, actions, vscode.window.showWarningMessage);
  }
}

/** Does something that takes its time, where it can be seen and cancelled. */
async function withProgress<Answer>(
  title: string,
  act: (token: vscode.CancellationToken, onStep: (step: string) => void) => Promise<Answer>,
): Promise<Answer> {
  return await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    (progress, token) => act(token, (message) => progress.report({ message })),
  );
}

function named(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
