import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";

/** For tests: a finding at a line of `samplePatch`. */
export const sampleFinding: Finding = {
  rule: "static-data-changed",
  severity: "unsafe",
  witness: "source",
  file: "mm/a.c",
  line: 12,
  column: 20,
  endLine: 12,
  endColumn: 21,
  symbol: "limit",
  message: "the initial value of 'limit' changes",
  why: "The variable is live.",
  remedy: "Set it in a callback.",
  excerpt: { text: "static int limit = 2;" },
  related: [],
};

/** For tests: a finding about the whole patch. */
export const wholeFinding: Finding = {
  rule: "not-run",
  severity: "needs-review",
  witness: "sandbox",
  file: null,
  line: null,
  column: null,
  endLine: null,
  endColumn: null,
  message: "nothing was run",
  why: "Nobody knows.",
  remedy: "Run it.",
  related: [],
};

/** For tests. */
export function sampleReview(findings: readonly Finding[] = [sampleFinding, wholeFinding]): Review {
  return {
    schemaVersion: 1,
    tool: { name: "kernel-hotpatch", version: "0.1.0" },
    kernel: { id: "debian/6.1.0-56-amd64", arch: "x86_64", release: "6.1.0-56-amd64" },
    patch: { files: ["mm/a.c"], sha256: "0".repeat(64) },
    verdict: "unsafe",
    witnesses: ["source"],
    findings,
  };
}

/** For tests: a mail with a change of two hunks to `mm/a.c`. */
export const samplePatch = `From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: A Person <a@example.org>
Date: Mon, 23 Nov 2026 10:00:00 +0100
Subject: [PATCH v2 1/2] mm: raise the limit, because
 it is too low
Message-ID: <patch-1@example.org>
In-Reply-To: <cover@example.org>

More is better.

Signed-off-by: A Person <a@example.org>
---
 mm/a.c | 4 ++--
 1 file changed, 2 insertions(+), 2 deletions(-)

diff --git a/mm/a.c b/mm/a.c
index 111..222 100644
--- a/mm/a.c
+++ b/mm/a.c
@@ -4,12 +4,12 @@
 int a4;
 int a5;
 int a6;
 int a7;
 int a8;
 int a9;
 int a10;
 int a11;
-static int limit = 1;
+static int limit = 2;
 int a13;
 int a14;
 int a15;
@@ -40,3 +40,3 @@ int f(void)
 int a40;
-int a41;
+long a41;
 int a42;
-- 
2.47.0
`;

/** For tests: what a patch may try to have a terminal, a runner, a mail program or a web page do. */
export const HOSTILE =
  "\x1b[2J\n::set-env name=A::b\r\n##[add-path]/x\nBcc: victim@example.org\n\n```\n</details><img src=x onerror=y> @everyone @octo/team #1 GH-2 ![x](https://evil.example/) https://evil.example www.evil.example $\\alpha$ <!-- hotpatch:summary --> \u202eabc %0A";
