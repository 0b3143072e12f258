import { setMaxListeners } from "node:events";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { CancellationToken, Connection, WorkDoneProgressReporter } from "vscode-languageserver/node";
import { printableLine } from "../render/printable.js";

/** What a request gives work to do with: how it is stopped, and where it reports. */
export interface Request {
  readonly workDoneToken?: string | number | undefined;
  readonly token: CancellationToken;
}

type During = Pick<Work, "signal" | "progress">;

/** Milliseconds between two reports: nobody reads faster. */
const BETWEEN = 100;

/** Shows in the editor what takes its time, and lets it be cancelled there. */
export class Progress {
  readonly #connection: Connection;
  readonly #canShow: () => boolean;

  /** @param canShow whether the editor shows progress that it did not ask for */
  constructor(connection: Connection, canShow: () => boolean) {
    this.#connection = connection;
    this.#canShow = canShow;
  }

  /** Does something that takes its time. @param request absent for what nobody asked for */
  async during<Result>(
    title: string,
    request: Request | undefined,
    act: (during: During) => Promise<Result>,
  ): Promise<Result> {
    const stop = new AbortController();
    // Every program that runs listens for it.
    setMaxListeners(0, stop.signal);
    const cancelled = [request?.token.onCancellationRequested(() => stop.abort())];
    if (request?.token.isCancellationRequested) stop.abort();
    const shown = await this.#open(request?.workDoneToken);
    if (shown && "token" in shown)
      cancelled.push((shown.token as CancellationToken).onCancellationRequested(() => stop.abort()));
    shown?.begin(title, 0, "", true);
    let [last, lastKind] = [0, ""];
    try {
      return await act({
        signal: stop.signal,
        progress: (step, fraction) => {
          const now = performance.now();
          // The next file of many, or a little more of one: its verb says so.
          const [kind = ""] = step.split(" ");
          if (kind === lastKind && now - last < BETWEEN) return;
          [last, lastKind] = [now, kind];
          const message = printableLine(step);
          if (fraction === undefined) shown?.report(message);
          else shown?.report(Math.floor(fraction * 100), message);
        },
      });
    } finally {
      shown?.done();
      for (const listener of cancelled) listener?.dispose();
    }
  }

  async #open(token: string | number | undefined): Promise<WorkDoneProgressReporter | undefined> {
    const { window } = this.#connection;
    if (token !== undefined) return window.attachWorkDoneProgress(token);
    return this.#canShow() ? await window.createWorkDoneProgress() : undefined;
  }
}
