import type { TreeState } from "@kernel-hotpatch/server/lsp/tree-state";
import type { Finding } from "@kernel-hotpatch/server/review/finding";
import type { Review } from "@kernel-hotpatch/server/review/review";
import * as vscode from "vscode";
import { faultOf } from "./fault";
import { type TestScript, testScripts } from "./test-scripts";
import { fileUri, type Trees } from "./trees";

/** What proves a change. */
export interface Prover {
  /** Names of the kernels that were added. */
  kernels(): Promise<readonly string[]>;
  prove(
    target: { readonly root: string; readonly tests: readonly string[]; readonly kernel?: string },
    token: vscode.CancellationToken,
    onStep: (step: string) => void,
  ): Promise<Review>;
  /** Told what a run came to nothing by. */
  failed(error: unknown): void;
}

/** The steps that every patch goes through, in their order. */
const STEPS = ["load", "transition", "cycle 2 of 2", "disable", "unload"];
const PHASES = ["before", "loaded", "after"];
const BUILD = "build";
const STEP = "step ";

/** What of a tree is run, and on which kernel. */
interface Target {
  readonly root: string;
  readonly item: vscode.TestItem;
  /** All where absent. */
  readonly included: readonly vscode.TestItem[] | undefined;
  /** The tree's where absent. */
  readonly kernel: string | undefined;
}

export type Outcome = "passed" | "failed" | "skipped" | "errored";

/** The steps of the sandbox and the tests of a change, in the Test Explorer; a run profile for each kernel. */
export class SandboxTests {
  readonly #trees: Trees;
  readonly #prover: Prover;
  readonly #controller = vscode.tests.createTestController("hotpatch", "Hot Patch");
  readonly #profiles = new Map<string, vscode.TestRunProfile>();
  readonly #listener: vscode.Disposable;
  /** Of the last run, by the step's name: editors do not tell it. */
  readonly outcomes = new Map<string, Outcome>();
  #hasKernels = false;
  #refreshing: Promise<void> = Promise.resolve();

  constructor(trees: Trees, prover: Prover) {
    this.#trees = trees;
    this.#prover = prover;
    this.#addProfile("Prove in Sandbox", undefined, true);
    this.#controller.refreshHandler = () => this.refresh();
    this.#listener = trees.onDidChange(() => void this.refresh());
  }

  /** Looks again which trees have a change, and which tests there are. */
  async refresh(): Promise<void> {
    this.#refreshing = this.#refreshing.then(() => this.#refresh()).catch(() => undefined);
    await this.#refreshing;
  }

  /** Kernels were added or removed. */
  kernelsChanged(): void {
    this.#hasKernels = false;
    void this.refresh();
  }

  /** Runs everything, as the Test Explorer's button does. @param kernel another one than the tree's */
  async runAll(token: vscode.CancellationToken, kernel?: string): Promise<void> {
    await this.#run(new vscode.TestRunRequest(), token, kernel);
  }

  /**
   * Proves one tree's change, as the Test Explorer does, and shows there what comes of it.
   * @throws what the prover throws
   */
  async proveTree(
    root: string,
    token: vscode.CancellationToken,
    onStep: (step: string) => void,
  ): Promise<Review> {
    await this.refresh();
    const item = this.#controller.items.get(root);
    // Nothing differs: the prover says it better.
    if (!item) return await this.#prover.prove({ root, tests: [] }, token, onStep);
    const run = this.#controller.createTestRun(new vscode.TestRunRequest([item]));
    this.outcomes.clear();
    try {
      return await this.#runTree(run, { root, item, included: undefined, kernel: undefined }, token, onStep);
    } finally {
      run.end();
    }
  }

  dispose(): void {
    this.#listener.dispose();
    this.#controller.dispose();
  }

  #addProfile(label: string, kernel: string | undefined, isDefault: boolean): void {
    if (this.#profiles.has(label)) return;
    const profile = this.#controller.createRunProfile(
      label,
      vscode.TestRunProfileKind.Run,
      (request, token) => this.#run(request, token, kernel),
      isDefault,
    );
    this.#profiles.set(label, profile);
  }

  async #refresh(): Promise<void> {
    const changed = this.#trees.all.filter(({ verdict }) => verdict !== null);
    const items = await Promise.all(changed.map((tree) => this.#treeItem(tree)));
    this.#controller.items.replace(items);
    if (this.#hasKernels || changed.length === 0) return;
    this.#hasKernels = true;
    for (const kernel of await this.#prover.kernels()) this.#addProfile(`Prove on ${kernel}`, kernel, false);
  }

  async #treeItem(tree: TreeState): Promise<vscode.TestItem> {
    const { root, kernel } = tree;
    const scripts = await testScripts(fileUri(tree, "Kbuild"));
    const known = this.#controller.items.get(root);
    const folder = vscode.Uri.parse(root);
    const item =
      known ?? this.#controller.createTestItem(root, folder.fsPath.split("/").at(-1) ?? root, folder);
    item.description = kernel?.id ?? "no kernel";
    const wanted = new Map<string, () => vscode.TestItem>([
      [BUILD, () => this.#controller.createTestItem(BUILD, "build")],
      ...scripts.map((script) => [script.path, () => this.#scriptItem(script)] as const),
      ...STEPS.map(
        (name) => [`${STEP}${name}`, () => this.#controller.createTestItem(`${STEP}${name}`, name)] as const,
      ),
    ]);
    // Those that stay keep their results.
    item.children.replace(
      [...wanted].map(([id, create], at) => {
        const child = item.children.get(id) ?? create();
        child.sortText = String(at).padStart(3, "0");
        return child;
      }),
    );
    return item;
  }

  #scriptItem({ path, name }: TestScript): vscode.TestItem {
    const item = this.#controller.createTestItem(path, name, vscode.Uri.file(path));
    item.range = new vscode.Range(0, 0, 0, 0);
    item.children.replace(
      PHASES.map((phase, at) => {
        const child = this.#controller.createTestItem(
          `${STEP}test ${phase}: ${name}`,
          phase,
          vscode.Uri.file(path),
        );
        child.sortText = String(at);
        return child;
      }),
    );
    return item;
  }

  async #run(request: vscode.TestRunRequest, token: vscode.CancellationToken, kernel: string | undefined) {
    await this.refresh();
    const run = this.#controller.createTestRun(request);
    this.outcomes.clear();
    try {
      for (const [root, item] of this.#controller.items) {
        const included = request.include?.filter((one) => rootOf(one) === item);
        if (included && included.length === 0) continue;
        await this.#runTree(run, { root, item, included, kernel }, token).catch((error: unknown) =>
          this.#prover.failed(error),
        );
      }
    } finally {
      run.end();
    }
  }

  async #runTree(
    run: vscode.TestRun,
    { root, item, included, kernel }: Target,
    token: vscode.CancellationToken,
    onStep: (step: string) => void = () => undefined,
  ): Promise<Review> {
    const scripts = scriptsOf(item, included);
    const steps = stepsOf(item, scripts);
    const cancelled = vscode.Disposable.from(
      token.onCancellationRequested(() => run.appendOutput("cancelled\r\n")),
    );
    for (const step of steps.values()) run.enqueued(step);
    const build = steps.get(BUILD);
    if (build) run.started(build);
    const settle = (
      step: vscode.TestItem,
      outcome: Outcome,
      message: vscode.TestMessage[],
      milliseconds?: number,
    ) => {
      this.outcomes.set(step.id.replace(STEP, ""), outcome);
      if (outcome === "passed") run.passed(step, milliseconds);
      else if (outcome === "skipped") run.skipped(step);
      else run[outcome](step, message, milliseconds);
    };
    const skipRest = (done: ReadonlySet<string>) => {
      for (const [name, step] of steps) if (!done.has(name)) settle(step, "skipped", []);
    };
    const begun = Date.now();
    let built: number | undefined;
    try {
      const target = { root, tests: scripts.map(({ id }) => id) };
      const review = await this.#prover.prove(
        { ...target, ...(kernel !== undefined && { kernel }) },
        token,
        (name) => {
          const step = steps.get(name);
          run.appendOutput(`${name}\r\n`);
          onStep(name);
          if (step || name.startsWith("booting")) built ??= Date.now();
          if (step) run.started(step);
        },
      );
      const done = new Set([BUILD]);
      if (build) {
        const refusals = review.module ? [] : review.findings.filter(({ severity }) => severity === "unsafe");
        const messages = refusals.map((finding) => messageOf(root, finding, undefined));
        const fallback = new vscode.TestMessage("no module was made: no code differs");
        const failure = messages.length > 0 ? messages : [fallback];
        settle(build, review.module ? "passed" : "failed", failure, (built ?? Date.now()) - begun);
      }
      for (const { name, outcome, seconds, output } of review.sandbox?.steps ?? []) {
        const step = steps.get(name) ?? addedStep(this.#controller, item, name);
        done.add(name);
        run.appendOutput(
          [`${name}: ${outcome}`, ...output.map((line) => `  ${line}`), ""].join("\r\n"),
          undefined,
          step,
        );
        const findings = outcome === "failed" ? review.findings.filter((one) => isAbout(one, output)) : [];
        const said = findings.map((finding) => messageOf(root, finding, step));
        const plain = new vscode.TestMessage(output.join("\n") || `${name} failed`);
        if (step.uri) plain.location = new vscode.Location(step.uri, new vscode.Position(0, 0));
        settle(step, outcome, said.length > 0 ? said : [plain], seconds * 1000);
      }
      skipRest(done);
      return review;
    } catch (error) {
      const { code, message } = faultOf(error);
      run.appendOutput(`${message.replaceAll("\n", "\r\n")}\r\n`);
      if (code !== "interrupted" && build) settle(build, "errored", [new vscode.TestMessage(message)]);
      skipRest(new Set(code === "interrupted" ? [] : [BUILD]));
      throw error;
    } finally {
      cancelled.dispose();
    }
  }
}

function rootOf(item: vscode.TestItem): vscode.TestItem {
  return item.parent ? rootOf(item.parent) : item;
}

/** The scripts to run: those chosen; all where none was, or where something was that is no script. */
function scriptsOf(
  tree: vscode.TestItem,
  included: readonly vscode.TestItem[] | undefined,
): vscode.TestItem[] {
  const all = [...tree.children].map(([, child]) => child).filter(({ uri }) => uri);
  const chosen = all.filter((script) => included?.some((one) => one === script || one.parent === script));
  return chosen.length > 0 ? chosen : all;
}

/** Items that a run has a result for, by the names of the sandbox's steps. */
function stepsOf(tree: vscode.TestItem, scripts: readonly vscode.TestItem[]): Map<string, vscode.TestItem> {
  const own = [...tree.children].map(([, child]) => child).filter(({ uri }) => !uri);
  const phases = scripts.flatMap((script) => [...script.children].map(([, child]) => child));
  return new Map([...own, ...phases].map((item) => [item.id.replace(STEP, ""), item]));
}

/** A step that only some patches have, such as loading kernel modules. */
function addedStep(controller: vscode.TestController, tree: vscode.TestItem, name: string): vscode.TestItem {
  const step = controller.createTestItem(`${STEP}${name}`, name);
  step.sortText = "000";
  tree.children.add(step);
  return step;
}

/** Whether the sandbox says this of a failed step: it then shows what the step printed. */
function isAbout({ witness, detail }: Finding, output: readonly string[]): boolean {
  return witness === "sandbox" && output.length > 0 && detail?.startsWith(output.join("\n")) === true;
}

function messageOf(root: string, finding: Finding, step: vscode.TestItem | undefined): vscode.TestMessage {
  const { message, detail, file, line, column } = finding;
  const told = new vscode.TestMessage(detail ? `${message}\n${detail}` : message);
  const at = new vscode.Position((line ?? 1) - 1, (column ?? 1) - 1);
  const uri = file === null ? step?.uri : fileUri({ root }, file);
  if (uri) told.location = new vscode.Location(uri, file === null ? new vscode.Position(0, 0) : at);
  return told;
}
