import type { SystemState } from "../../objdiff/marks.js";
import type { Observation } from "../../observation.js";

/**
 * Brings the system states of all units together, in order of their ids (include/linux/livepatch.h, struct klp_state;
 * kernel/livepatch/state.c takes the id 0 for the end of the list).
 */
export function statesOf(units: readonly { unit: string; states: readonly SystemState[] }[]): {
  states: SystemState[];
  refusals: Observation[];
} {
  const byId = new Map<number, SystemState>();
  const refusals: Observation[] = [];
  for (const { unit, states } of units)
    for (const state of states) {
      const { id, version } = state;
      const refuse = (message: string) =>
        refusals.push({ rule: "system-state", severity: "unsafe", file: unit, message });
      const known = byId.get(id);
      if (id === 0 || !Number.isSafeInteger(id))
        refuse(`a system state has the id ${id}: it must be a number from 1 on`);
      else if (!Number.isInteger(version) || version > 0xffff_ffff)
        refuse(`the version ${version} of system state ${id} is more than 32 bits`);
      else if (known && known.version !== version)
        refuse(`system state ${id} is declared with version ${known.version} and with ${version}`);
      else byId.set(id, state);
    }
  return { states: [...byId.values()].sort((a, b) => a.id - b.id), refusals };
}
