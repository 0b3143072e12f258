import { Fault } from "../host/fault.js";
import type { Observation } from "../observation.js";
import type { KernelConfig } from "./config.js";

/**
 * Options that stand in the way of a hot patch made of compiled files, or limit what can be said of it. What is not
 * here compiles and compares as it is, KASAN, UBSAN and KCOV among it: what they write down is compared by content
 * (objdiff/atoms.ts).
 */
const LIMITS: readonly {
  readonly option: RegExp;
  /** `refused`: no profile can be made; `said`: a finding of every build. */
  readonly outcome: "refused" | "said";
  readonly why: string;
}[] = [
  {
    option: /^CONFIG_LTO_CLANG(?:_FULL|_THIN)?$/,
    outcome: "refused",
    why: "functions are made when the kernel is linked, and files compiled alone do not show them",
  },
  {
    option: /^CONFIG_CFI(?:_CLANG)?$/,
    outcome: "refused",
    why: "indirect calls check a type that stands before each function, which is not carried yet",
  },
  {
    option: /^CONFIG_KCSAN$/,
    outcome: "refused",
    why: "the compiler instruments every access and has each file register itself",
  },
  {
    option: /^CONFIG_KMSAN$/,
    outcome: "refused",
    why: "the compiler instruments every access, and code that is not instrumented is reported falsely",
  },
  {
    option: /^CONFIG_GCOV_PROFILE_ALL$/,
    outcome: "refused",
    why: "each function has counters that are registered at start",
  },
  {
    option: /^CONFIG_RANDSTRUCT(?:_FULL|_PERFORMANCE)?$|^CONFIG_GCC_PLUGIN_RANDSTRUCT$/,
    outcome: "refused",
    why: "structures are laid out by a random number of the image's own build",
  },
  {
    option: /^CONFIG_GCC_PLUGIN_LATENT_ENTROPY$/,
    outcome: "refused",
    why: "every compile of a file puts other random numbers into its code",
  },
  {
    option: /^CONFIG_DEBUG_INFO_(?:NONE|REDUCED|SPLIT)$/,
    outcome: "said",
    why: "without debug information in the objects, a change of a type's layout is only seen where code depends on it",
  },
];

/**
 * Makes sure that a kernel of this configuration can be hot patched by us.
 * @param release names the kernel in the message
 * @throws Fault `bad-input` with all options that stand in the way
 */
export function refuseLimits(config: KernelConfig, release: string): void {
  const found = limitsOf(config, "refused");
  if (found.length === 0) return;
  throw new Fault(
    "bad-input",
    `${release} cannot be hot patched by this tool: ${found.map(({ name, why }) => `${name}: ${why}`).join("; ")}`,
    { remedy: "choose a kernel that is built without" },
  );
}

/** What the configuration keeps from being seen. */
export function limitRemarks(config: KernelConfig): Observation[] {
  return limitsOf(config, "said").map(({ name, why }) => ({
    rule: "config-limit",
    message: `the kernel has ${name}: ${why}`,
  }));
}

function limitsOf(config: KernelConfig, outcome: "refused" | "said") {
  return LIMITS.filter((limit) => limit.outcome === outcome).flatMap(({ option, why }) => {
    const name = [...config.keys()].find((key) => option.test(key) && config.get(key) === "y");
    return name === undefined ? [] : [{ name, why }];
  });
}
