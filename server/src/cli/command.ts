import type { Command } from "commander";
import type { Session } from "./session.js";

/** Runs a command's action in a session of its own and keeps the exit status that it returns. */
export type Act = (command: Command, action: (session: Session) => Promise<number>) => Promise<void>;
