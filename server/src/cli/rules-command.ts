import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Command } from "commander";
import type { RuleList } from "../rules/rule-list.js";
import type { Act } from "./command.js";
import type { Session } from "./session.js";

export function addRulesCommand(program: Command, act: Act): void {
  program
    .command("rules")
    .description("list the rules, or explain one")
    .argument("[id]", "the rule to explain")
    .addHelpText("after", "\nExamples:\n  hotpatch rules\n  hotpatch rules static-data-changed")
    .action((id: string | undefined, _options: unknown, command: Command) =>
      act(command, (session) => rules(session, id)),
    );
}

async function rules(session: Session, id: string | undefined): Promise<number> {
  const [{ catalogue, ruleOf }, { renderRuleList, renderRuleText }] = await Promise.all([
    import("../rules/catalogue.js"),
    import("../render/rules.js"),
  ]);
  const rule = id === undefined ? undefined : ruleOf(id);
  if (id !== undefined && !rule)
    throw new Fault("bad-input", `no rule '${id}'`, { remedy: "run 'hotpatch rules' for the list" });
  session.report({ schemaVersion: 1, rules: rule ? [rule] : catalogue } satisfies RuleList, (colors) =>
    rule ? renderRuleText(rule, colors) : renderRuleList(catalogue, colors),
  );
  return 0;
}
