// `npm run bench [-- grammar …]`: what the tool costs (patch.ts), or what the grammar reads (grammar.ts).
await (process.argv[2] === "grammar" ? import("./grammar.js") : import("./patch.js"));
