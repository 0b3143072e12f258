/** Everything that package.json declares as a command; what each does is in `session.ts`. */
export const COMMANDS = [
  "hotpatch.check",
  "hotpatch.build",
  "hotpatch.review",
  "hotpatch.showPicture",
  "hotpatch.doctor",
  "hotpatch.pickKernel",
  "hotpatch.openSample",
  "hotpatch.restartServer",
  "hotpatch.showLog",
  "hotpatch.showConsole",
  "hotpatch.openPlace",
] as const;

export type CommandId = (typeof COMMANDS)[number];
