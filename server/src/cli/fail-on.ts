import { Option } from "commander";
import { SEVERITIES } from "../rules/rule.js";

/** `--fail-on`, for every command that judges. */
export function failOnOption(): Option {
  return new Option("--fail-on <severity>", "exit with status 1 when a finding weighs at least this")
    .choices(SEVERITIES)
    .default("unsafe");
}
