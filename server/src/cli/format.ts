import { Option } from "commander";
import { renderJson } from "../render/json.js";
import type { Review } from "../review/review.js";
import type { Session } from "./session.js";

const FORMATS = ["text", "json", "sarif", "markdown"] as const;
export type Format = (typeof FORMATS)[number];

/** `--format`, for every command that prints a review. */
export function formatOption(): Option {
  return new Option("--format <format>", "how the review is printed").choices(FORMATS).default("text");
}

/** The review in that format; `--json` goes before it. Only the renderer that is needed is loaded. */
export async function rendered(
  review: Review,
  format: Format,
  { json, colors }: Pick<Session, "json" | "colors">,
): Promise<string> {
  switch (json ? "json" : format) {
    case "json":
      return renderJson(review);
    case "sarif":
      return (await import("../render/sarif.js")).renderReviewSarif(review);
    case "markdown":
      return (await import("../render/markdown.js")).renderReviewMarkdown(review);
    case "text":
      return (await import("../render/text.js")).renderReviewText(review, colors);
  }
}
