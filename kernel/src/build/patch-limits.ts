/** How much may be asked of us. */
export interface PatchLimits {
  /** Of all patches together. */
  readonly bytes: number;
  readonly files: number;
  /** `git apply` takes time with the square of them. */
  readonly hunksPerFile: number;
  /** For one run of git. */
  readonly seconds: number;
}

/** Far above any hot patch. */
export const BUILD_LIMITS: PatchLimits = {
  bytes: 8 * 1024 * 1024,
  files: 400,
  hunksPerFile: 2000,
  seconds: 60,
};

/** Nothing is compiled: the difference between two stable kernels has to pass. */
export const CHECK_LIMITS: PatchLimits = {
  bytes: 32 * 1024 * 1024,
  files: 5000,
  hunksPerFile: 2000,
  seconds: 60,
};
