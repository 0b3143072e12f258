import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { SourceTree } from "./source-tree.js";

/** Answers about a tree, by a name each, kept on disk from one run to the next. */
export interface KeptAnswers<Answer> {
  read(name: string): Answer | undefined;
  write(name: string, answer: Answer): void;
}

/**
 * Opens the answers of one kind about a tree. Each is a small file, so that a patch of one function reads a few of them,
 * and no more.
 * @param kind names the kind, and with a number at its end the form that its answers have
 * @returns answers to read and write; about a tree that can change none is kept on disk
 */
export function keptAnswers<Answer>(
  work: Pick<Work, "cache">,
  tree: SourceTree,
  kind: string,
): KeptAnswers<Answer> {
  if (!tree.immutable) return inMemory(tree.answers, kind);
  const folder = join(work.cache, "tree-answers", treeKey(tree), kind);
  let isThere = false;
  return {
    read(name) {
      try {
        const answer: Answer = JSON.parse(readFileSync(join(folder, fileName(name)), "utf8"));
        return answer;
      } catch {
        // Not asked before, or spoilt by a power cut: it is found again.
        return undefined;
      }
    },
    write(name, answer) {
      const path = join(folder, fileName(name));
      const aside = `${path}.${process.pid}`;
      try {
        if (!isThere) mkdirSync(folder, { recursive: true });
        isThere = true;
        writeFileSync(aside, JSON.stringify(answer));
        renameSync(aside, path);
      } catch {
        // A full disk: the answer is found again next time.
      }
    },
  };
}

function inMemory<Answer>(answers: Map<string, unknown> | undefined, kind: string): KeptAnswers<Answer> {
  const key = (name: string) => `${kind}/${name}`;
  return {
    read: (name) => answers?.get(key(name)) as Answer | undefined,
    write: (name, answer) => answers?.set(key(name), answer),
  };
}

/** A source that was removed and fetched again may be another one: it is another folder then. */
function treeKey({ root, arch }: SourceTree): string {
  const { ino, ctimeMs } = statSync(root);
  return createHash("sha256")
    .update(JSON.stringify([root, arch, ino, ctimeMs]))
    .digest("hex")
    .slice(0, 16);
}

const fileName = (name: string) =>
  /^\w{1,120}$/.test(name) ? `${name}.json` : `${createHash("sha256").update(name).digest("hex")}-hash.json`;
