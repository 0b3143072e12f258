import type { ChangedFile, ChangeSet } from "../change/change-set.js";
import type { Place } from "../change/place.js";
import type { TreeFacts } from "../tree/tree-facts.js";
import type { Rule, Severity } from "./rule.js";

/** A rule that the source witness can judge. */
export interface SourceRule extends Rule {
  /** Looks at one changed file and says what it finds; does no input or output and throws nothing. */
  check(inspection: Inspection): Iterable<SourceFinding>;
}

/** What a rule looks at: one changed file, and all that it may have to know besides. */
export interface Inspection {
  readonly file: ChangedFile;
  /** The whole patch. Only `file` may be asked for syntax; another file only where a fix has to be written in it. */
  readonly changes: ChangeSet;
  readonly facts: TreeFacts;
}

/** What a rule found, before the rule's own words are put around it. */
export interface SourceFinding {
  readonly at: Place;
  /** The function, variable, type or macro it is about. */
  readonly symbol?: string;
  /** Where this case weighs differently from the rule's own severity. */
  readonly severity?: Severity;
  /** One sentence, lower case, no full stop, about this very code: names the struct, the callers, the lock. */
  readonly message: string;
  /** In place of the rule's own why and remedy, where this case has a better one; sentences. */
  readonly why?: string;
  readonly remedy?: string;
  readonly related?: readonly { readonly at: Place; readonly message: string }[];
  readonly fixes?: readonly Fix[];
}

/** A change that a machine can make for the author, to the patched files. */
export interface Fix {
  /** In the imperative: `Keep the counter in a shadow variable`. */
  readonly title: string;
  /** Do not overlap. */
  readonly edits: readonly Edit[];
}

/** Replaces a stretch of the patched file; an empty stretch inserts. */
export interface Edit extends Place {
  readonly text: string;
}
