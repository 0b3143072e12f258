// `npm run bench [-- grammar … | check | objdiff … | lsp | confine]`: what the tool costs (patch.ts), what the grammar reads
// (grammar.ts), what the source witness costs (check.ts), the object diff (objdiff.ts), the language server (lsp.ts),
// or confinement (confine.ts).
const BENCHES: Readonly<Record<string, () => Promise<unknown>>> = {
  patch: () => import("./patch.js"),
  grammar: () => import("./grammar.js"),
  check: () => import("./check.js"),
  objdiff: () => import("./objdiff.js"),
  lsp: () => import("./lsp.js"),
  confine: () => import("./confine.js"),
};

const name = process.argv[2] ?? "patch";
const bench = BENCHES[name];
if (bench) await bench();
else {
  process.stderr.write(`no bench '${name}': one of ${Object.keys(BENCHES).join(", ")}\n`);
  process.exitCode = 2;
}
