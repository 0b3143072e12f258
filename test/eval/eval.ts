// `npm run eval -- check|objects …`: how right our witnesses are, held against real fixes.
const witness = process.argv[2];
if (witness === "check") await import("./check.js");
else if (witness === "objects") await import("./objects.js");
else {
  process.stderr.write("npm run eval -- check|objects [--help]\n");
  process.exitCode = 2;
}
