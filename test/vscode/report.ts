/** What the suites said of one test; their report is an array of them, written when all have run. */
export interface TestResult {
  readonly title: string;
  readonly milliseconds: number;
  /** Absent when it passed. */
  readonly error?: string;
}
