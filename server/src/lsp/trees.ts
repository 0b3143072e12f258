import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Diagnostic } from "vscode-languageserver/node";
import type { TextDocument } from "vscode-languageserver-textdocument";
import { loadEngine } from "../syntax/engine.js";
import { openBase } from "./base.js";
import { diagnosticsOf, remark } from "./diagnostics.js";
import { kernelFolderOf } from "./kernel-folder.js";
import { inWords, KernelTree, type OpenFile } from "./kernel-tree.js";
import { pathIn, pathOfUri, uriOfPath } from "./places.js";
import type { Settings } from "./settings.js";
import { targetOf } from "./target.js";

/** A document in a kernel tree. */
interface Opened {
  readonly document: TextDocument;
  readonly root: string;
  readonly path: string;
  /** Resolves when it was judged for the first time, or never can be. */
  readonly ready: Promise<void>;
  tree: KernelTree | undefined;
  /** Why it is not judged. */
  problem: string | undefined;
}

/** A document with the tree that it is judged in. */
export interface Judged {
  readonly uri: string;
  readonly tree: KernelTree;
  readonly settings: Settings;
  readonly file: OpenFile;
}

interface Opening {
  readonly tree: Promise<KernelTree | undefined>;
  settings: Settings | undefined;
}

export interface TreesListener {
  /** What is to be said of a document may have changed. */
  judged(uri: string): void;
  /** Lenses and hints may have changed. */
  answered(): void;
  log(message: string): void;
}

/** The kernel trees that documents are open in: each opened with its first document and closed with its last. */
export class Trees {
  readonly #work: Work;
  readonly #settingsFor: (uri: string) => Promise<Settings>;
  readonly #listener: TreesListener;
  readonly #documents = new Map<string, Opened>();
  readonly #trees = new Map<string, Opening>();

  constructor(work: Work, settingsFor: (uri: string) => Promise<Settings>, listener: TreesListener) {
    this.#work = work;
    this.#settingsFor = settingsFor;
    this.#listener = listener;
  }

  /** Documents outside of kernel trees are left alone. */
  open(document: TextDocument): void {
    const file = pathOfUri(document.uri);
    const root = file === undefined ? undefined : kernelFolderOf(file);
    if (file === undefined || root === undefined) return;
    const path = pathIn(root, file);
    let settle = () => {};
    const ready = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const opened: Opened = { document, root, path, ready, tree: undefined, problem: undefined };
    this.#documents.set(document.uri, opened);
    void this.#attach(opened).then(settle);
  }

  edit({ uri, version }: TextDocument): void {
    const opened = this.#documents.get(uri);
    if (opened?.tree) opened.tree.edit(opened.path, opened.document.getText(), version);
  }

  close(uri: string): void {
    const opened = this.#documents.get(uri);
    this.#documents.delete(uri);
    if (!opened) return;
    opened.tree?.close(opened.path);
    if ([...this.#documents.values()].some(({ root }) => root === opened.root)) return;
    this.#dispose(opened.root);
  }

  saved(uri: string): void {
    this.#documents.get(uri)?.tree?.filesWritten();
  }

  /** Files were written by whomever. */
  filesWritten(uris: readonly string[]): void {
    const paths = uris.flatMap((uri) => pathOfUri(uri) ?? []);
    for (const { root, path, tree } of this.#documents.values())
      if (tree && paths.some((written) => written.startsWith(`${root}/`) && written !== `${root}/${path}`))
        tree.filesWritten();
  }

  /** Opens everything again, by the settings as they are now. */
  async reopen(): Promise<void> {
    for (const root of [...this.#trees.keys()]) this.#dispose(root);
    const documents = [...this.#documents.values()].map(({ document }) => document);
    for (const document of documents) this.open(document);
    await Promise.all(documents.map(({ uri }) => this.opened(uri)));
  }

  /** The tree that a command is about: of the document named, or the only one that is open. */
  async tree(uri: string | undefined): Promise<KernelTree | undefined> {
    if (uri !== undefined) return (await this.opened(uri))?.tree;
    const [only, ...others] = await this.judgedTrees();
    return others.length === 0 ? only : undefined;
  }

  /** Those that documents are open in, when each document was judged for the first time. */
  async judgedTrees(): Promise<readonly KernelTree[]> {
    await Promise.all([...this.#documents.keys()].map((known) => this.opened(known)));
    return this.all;
  }

  /** Those that documents are open in. */
  get all(): readonly KernelTree[] {
    return [...new Set([...this.#documents.values()].flatMap(({ tree }) => tree ?? []))];
  }

  /** Waits until a document was judged for the first time, and has what was edited since judged. */
  async opened(uri: string): Promise<Judged | undefined> {
    for (;;) {
      const opened = this.#documents.get(uri);
      await opened?.ready;
      // It may have been opened anew while we waited.
      if (opened === this.#documents.get(uri)) return this.judged(uri);
    }
  }

  /** Ends all that goes on. */
  dispose(): void {
    this.#documents.clear();
    for (const root of [...this.#trees.keys()]) this.#dispose(root);
  }

  /** @returns undefined for a document that is not judged */
  judged(uri: string): Judged | undefined {
    const opened = this.#documents.get(uri);
    const file = opened?.tree?.settled(opened.path);
    const settings = opened && this.#trees.get(opened.root)?.settings;
    return opened?.tree && file && settings ? { uri, tree: opened.tree, settings, file } : undefined;
  }

  /** Everything that is to be said of a document. */
  diagnosticsOf(uri: string): Diagnostic[] {
    const problem = this.#documents.get(uri)?.problem;
    if (problem !== undefined) return [remark(problem)];
    const judged = this.judged(uri);
    return judged ? diagnosticsOf(judged.tree, judged.file) : [];
  }

  async #attach(opened: Opened): Promise<void> {
    const { document, root, path } = opened;
    const { uri } = document;
    const isOpen = () => this.#documents.get(uri) === opened;
    try {
      const tree = await this.#tree(root);
      if (!isOpen() || !tree) return;
      opened.tree = tree;
      await tree.open(path, document.getText(), document.version);
      // It may have been edited while its base was read.
      if (isOpen()) tree.edit(path, document.getText(), document.version);
    } catch (error) {
      if (!isOpen()) return;
      opened.problem = `not analysed: ${inWords(error).split("\n")[0]}`;
      this.#listener.log(inWords(error));
      this.#listener.judged(uri);
    }
  }

  #tree(root: string): Promise<KernelTree | undefined> {
    const known = this.#trees.get(root);
    if (known) return known.tree;
    const opening: Opening = { tree: Promise.resolve(undefined), settings: undefined };
    const tree = this.#openTree(root, opening);
    this.#trees.set(root, Object.assign(opening, { tree }));
    return tree;
  }

  async #openTree(root: string, opening: Opening): Promise<KernelTree | undefined> {
    const settings = await this.#settingsFor(uriOfPath(root));
    opening.settings = settings;
    const work = this.#work;
    const [target, engine] = await Promise.all([targetOf(work, root, settings.kernel), loadEngine()]);
    const pristine = target.profile?.source;
    const base = await openBase(work, root, settings.base, pristine);
    if (!base) {
      this.#listener.log(`${root} has nothing to compare with: no commit, and no kernel of its version`);
      return undefined;
    }
    return new KernelTree(work, engine, root, target, base, {
      log: (message) => this.#listener.log(message),
      answered: () => this.#listener.answered(),
      judged: ({ path }) => {
        for (const [uri, opened] of this.#documents)
          if (opened.root === root && opened.path === path) this.#listener.judged(uri);
      },
    });
  }

  #dispose(root: string): void {
    const opening = this.#trees.get(root);
    this.#trees.delete(root);
    void opening?.tree.then(
      (tree) => tree?.dispose(),
      () => undefined,
    );
  }
}
