// `npm run eval -- check …`: how right our witnesses are, against a labelled set.
if (process.argv[2] === "check") await import("./check.js");
else if (process.argv[2] === "objects") await import("./objects.js");
else if (process.argv[2] === "headers") await import("./headers.js");
else {
  process.stderr.write("npm run eval -- check|objects|headers [--help]\n");
  process.exitCode = 2;
}
