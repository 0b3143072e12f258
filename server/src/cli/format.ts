import { Option } from "commander";
import { renderJson } from "../render/json.js";
import type { Review } from "../review/review.js";
import type { NamedPatch } from "./patch-argument.js";
import type { Session } from "./session.js";

const FORMATS = ["text", "json", "sarif", "markdown", "github", "gitlab", "mail"] as const;
export type Format = (typeof FORMATS)[number];

/** `--format`, for every command that prints a review. */
export function formatOption(): Option {
  return new Option("--format <format>", "how the review is printed").choices(FORMATS).default("text");
}

/**
 * The review in that format; `--json` goes before it. Only the renderer that is needed is loaded.
 * @param patches what was reviewed, for the format that quotes it; none where only its files are at hand
 */
export async function rendered(
  review: Review,
  format: Format,
  { json, colors }: Pick<Session, "json" | "colors">,
  patches: readonly Pick<NamedPatch, "text">[],
): Promise<string> {
  switch (json ? "json" : format) {
    case "json":
      return renderJson(review);
    case "sarif":
      return (await import("../render/sarif.js")).renderReviewSarif(review);
    case "markdown":
      return (await import("../render/markdown.js")).renderReviewMarkdown(review);
    case "github":
      return (await import("../render/github.js")).renderReviewGithub(review);
    case "gitlab":
      return (await import("../render/gitlab.js")).renderReviewGitlab(review);
    case "mail":
      return (await import("../render/mail.js")).renderReviewMail(
        review,
        patches.map(({ text }) => text.toString()),
      );
    case "text":
      return (await import("../render/text.js")).renderReviewText(review, colors);
  }
}
