import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Command } from "commander";
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
  const [{ catalogue, ruleOf }, { renderRuleList, renderRuleText }, { renderJson }] = await Promise.all([
    import("../rules/catalogue.js"),
    import("../render/rules.js"),
    import("../render/json.js"),
  ]);
  const rule = id === undefined ? undefined : ruleOf(id);
  if (id !== undefined && !rule)
    throw new Fault("bad-input", `no rule '${id}'`, { remedy: "run 'hotpatch rules' for the list" });
  if (session.json) session.print(renderJson({ schemaVersion: 1, rules: rule ? [rule] : catalogue }));
  else session.print(rule ? renderRuleText(rule, session.colors) : renderRuleList(catalogue, session.colors));
  return 0;
}
