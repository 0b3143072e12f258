import PostalMime from "postal-mime";
import { expect, test } from "vitest";
import { renderReviewMail } from "./mail.js";
import { HOSTILE, sampleFinding, samplePatch, sampleReview, wholeFinding } from "./sample-review.js";

test("a reply quotes the patch above what is found there", () => {
  const late = {
    ...sampleFinding,
    line: 41,
    excerpt: { text: "long a41;" },
    message: "'a41' is another type",
  };
  expect(
    renderReviewMail(sampleReview([late, sampleFinding, wholeFinding]), [samplePatch]),
  ).toMatchInlineSnapshot(`
    "Subject: Re: [PATCH v2 1/2] mm: raise the limit, because it is too low
    In-Reply-To: <patch-1@example.org>
    References: <cover@example.org>
     <patch-1@example.org>
    MIME-Version: 1.0
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 8bit

    Reviewed as a hot patch for debian/6.1.0-56-amd64 (x86_64).

    Verdict: unsafe (2 unsafe, 1 needs-review)

    > +++ b/mm/a.c
    > @@ -4,12 +4,12 @@
    > [...]
    >  int a8;
    >  int a9;
    >  int a10;
    >  int a11;
    > -static int limit = 1;
    > +static int limit = 2;

    unsafe: the initial value of 'limit' changes [static-data-changed]
      The variable is live.
      Set it in a callback.

    > @@ -40,3 +40,3 @@ int f(void)
    >  int a40;
    > -int a41;
    > +long a41;

    unsafe: 'a41' is another type [static-data-changed]
      The variable is live.
      Set it in a callback.

    Not about a line of the patch:

    needs-review: nothing was run [not-run]
      Nobody knows.
      Run it.

    -- 
    kernel-hotpatch 0.1.0
    "
  `);
});

const HEADERS = [
  "subject",
  "in-reply-to",
  "references",
  "mime-version",
  "content-type",
  "content-transfer-encoding",
];

test("a mail program reads from it a thread, a subject, and no more", async () => {
  const mail = await PostalMime.parse(renderReviewMail(sampleReview(), [samplePatch]));
  expect(mail.headers.map(({ key }) => key)).toEqual(HEADERS);
  expect(mail).toMatchObject({
    subject: "Re: [PATCH v2 1/2] mm: raise the limit, because it is too low",
    inReplyTo: "<patch-1@example.org>",
    references: "<cover@example.org> <patch-1@example.org>",
  });
});

test.each([
  ["a bare diff", samplePatch.slice(samplePatch.indexOf("diff --git")), "Re: your patch"],
  [
    "no message id",
    samplePatch.replace(/^Message-ID.*\n/m, ""),
    "Re: [PATCH v2 1/2] mm: raise the limit, because it is too low",
  ],
])("without what a thread needs there is none: %s", async (_, patch, subject) => {
  const mail = await PostalMime.parse(renderReviewMail(sampleReview(), [patch]));
  expect(mail.headers.map(({ key }) => key)).toEqual(
    HEADERS.filter((key) => !/in-reply|references/.test(key)),
  );
  expect(mail.subject).toBe(subject);
});

const subjectOf = async (written: string) => {
  const patch = samplePatch.replace(/^Subject: .*\n .*$/m, `Subject: ${written}`);
  return (await PostalMime.parse(renderReviewMail(sampleReview(), [patch]))).subject;
};

test("subjects: one 'Re:', long ones folded, words beyond ASCII encoded, encoded ones kept", async () => {
  expect(await subjectOf("Re: RE: x")).toBe("Re: x");
  const long = "[PATCH] ".concat("word ".repeat(40)).trim();
  expect(await subjectOf(long)).toBe(`Re: ${long}`);
  expect(await subjectOf("[PATCH] größer: 日本".repeat(5))).toBe(`Re: ${"[PATCH] größer: 日本".repeat(5)}`);
  expect(await subjectOf("[PATCH] =?UTF-8?q?gr=C3=B6=C3=9Fer?=")).toBe("Re: [PATCH] größer");
});

test("nothing from a patch becomes a header, a recipient, an attachment or a control character", async () => {
  const header = `Message-ID: <a\x1b@b> <${"x".repeat(5000)}@y> <ok@example.org>\rBcc: v@example.org\nReferences: ${"<r@x> ".repeat(9)}\x07\nTo: victim@example.org`;
  const patch = samplePatch
    .replace(/^Message-ID.*$/m, header)
    .replace(/^Subject: .*$/m, "Subject: \x1b[2J x\rBcc: victim@example.org")
    .replace("int a11;", `int a11; /* ${HOSTILE.replaceAll("\n", " ")} ${"y".repeat(5000)} */`);
  const hostile = { ...sampleFinding, message: HOSTILE, detail: `${HOSTILE}\n.\nFrom x\n`.repeat(50) };
  const text = renderReviewMail(
    sampleReview([hostile, { ...wholeFinding, message: `${"z".repeat(5000)} ${HOSTILE}` }]),
    [patch],
  );
  const mail = await PostalMime.parse(text);
  expect(mail.headers.map(({ key }) => key)).toEqual(HEADERS);
  expect(mail.inReplyTo).toBe("<ok@example.org>");
  expect(mail.references).toBe("<r@x> <ok@example.org>");
  expect(mail.attachments).toEqual([]);
  for (const line of text.split("\n")) {
    expect(line).toMatch(/^[^\p{C}]*$/u);
    expect(Buffer.byteLength(line)).toBeLessThan(998);
  }
  expect(text).not.toMatch(/^(?:Bcc|To|From)[: ]/m);
});

test("of a series every patch is quoted, and long stretches between two findings are left out", () => {
  const context = Array.from({ length: 20 }, (_, at) => ` int b${at + 2};`).join("\n");
  const second = `--- a/mm/b.c\n+++ b/mm/b.c\n@@ -1,20 +1,22 @@\n+int b1;\n${context}\n+int b22;\n`;
  const at = (line: number) => ({
    ...sampleFinding,
    file: "mm/b.c",
    line,
    excerpt: { text: `int b${line};` },
  });
  const text = renderReviewMail(sampleReview([at(1), at(22), sampleFinding]), [samplePatch, second]);
  expect(text.match(/^> .*$/gm)?.slice(-11)).toEqual([
    "> +static int limit = 2;",
    "> +++ b/mm/b.c",
    "> @@ -1,20 +1,22 @@",
    "> +int b1;",
    "> [...]",
    ...[17, 18, 19, 20, 21].map((number) => `>  int b${number};`),
    "> +int b22;",
  ]);
});

test("a change without its patch at hand is answered without quoting", () => {
  const text = renderReviewMail(sampleReview(), []);
  expect(text).not.toMatch(/^>/m);
  expect(text).toContain("mm/a.c:12:20: unsafe:");
});
