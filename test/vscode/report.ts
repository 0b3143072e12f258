/** What the suites said, written when all have run. */
export interface Report {
  readonly tests: readonly TestResult[];
}

export interface TestResult {
  readonly title: string;
  readonly milliseconds: number;
  /** Absent when it passed. */
  readonly error?: string;
}
