import { defaultCache, type Work } from "@kernel-hotpatch/kernel/host/work";
import { collectCases } from "./cases.js";
import { fetchPair } from "./pair.js";

const work: Work = {
  signal: new AbortController().signal,
  cache: defaultCache(),
  progress: (step) => process.stderr.write(`${new Date().toISOString()} ${step}\n`),
};
const pair = await fetchPair(work);
const { cases, outcomes } = await collectCases(work, pair, 150, 1);
console.log(outcomes, cases.length);
