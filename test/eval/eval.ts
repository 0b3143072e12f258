// `npm run eval -- check …`: how right our witnesses are, against a labelled set.
if (process.argv[2] === "check") await import("./check.js");
else if (process.argv[2] === "objects") await import("./objects.js");
else {
  process.stderr.write("npm run eval -- check|objects [--help]\n");
  process.exitCode = 2;
}
