/** Why a command cannot go on. Each code has one exit status (see {@link exitStatus}). */
export type FaultCode = "bad-input" | "lacking" | "interrupted" | "defect";

const EXIT_STATUS: Record<FaultCode, number> = { "bad-input": 2, lacking: 3, defect: 4, interrupted: 130 };

/** An error with a reason a person can act on; everything else that is thrown is a defect of ours. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  /** What to do about it, one sentence; empty when the message says it all. */
  readonly remedy: string;
  /** Evidence worth keeping, such as the output of a program; never printed by default. */
  readonly detail: string;

  /**
   * @param code decides the exit status
   * @param message one line, without a final full stop
   */
  constructor(
    code: FaultCode,
    message: string,
    options: { remedy?: string; detail?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? "";
    this.detail = options.detail ?? "";
  }
}

/** The exit status of the design for anything that was thrown. */
export function exitStatus(error: unknown): number {
  return EXIT_STATUS[error instanceof Fault ? error.code : "defect"];
}
