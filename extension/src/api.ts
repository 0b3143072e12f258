import type { Session } from "./session";

/** What activation gives to tests and other extensions. */
export interface Api {
  /** Opened by the first call. */
  session(): Session;
}
