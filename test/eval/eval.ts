// `npm run eval -- check|objects|headers`: how right our witnesses are, against a labelled set; what is carried of real fixes;
// whether a header's change leaves the units alone that do not name it.
const EVALUATIONS: Readonly<Record<string, () => Promise<unknown>>> = {
  check: () => import("./check.js"),
  objects: () => import("./objects.js"),
  headers: () => import("./headers.js"),
};

const evaluation = EVALUATIONS[process.argv[2] ?? ""];
if (evaluation) await evaluation();
else {
  process.stderr.write(`npm run eval -- ${Object.keys(EVALUATIONS).join("|")} [--help]\n`);
  process.exitCode = 2;
}
