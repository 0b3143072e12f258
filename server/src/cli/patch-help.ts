/** How every command that takes PATCH explains it. */
export const PATCH_HELP =
  "files of a series, '-' for standard input, or a git range A..B; when missing, what changed since HEAD here";
