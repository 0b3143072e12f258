import { constants, existsSync } from "node:fs";
import { access, mkdir, statfs } from "node:fs/promises";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { run } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Arch } from "@kernel-hotpatch/kernel/profile/profile";
import type { DoctorReport } from "./report.js";
import { type Requirement, requirements } from "./requirements.js";

/** One kernel, unpacked and prepared, its source, and the packages they come from. */
const ONE_KERNEL_BYTES = 3e9;

/**
 * Looks at everything a review needs; changes nothing but that the cache folder exists.
 * @throws Fault `interrupted`
 */
export async function examineMachine(work: Work): Promise<DoctorReport> {
  const host: Arch = process.arch === "arm64" ? "arm64" : "x86_64";
  const examined: DoctorReport["requirements"][number][] = [];
  for (const requirement of requirements(host)) {
    const { name, kernels, purpose } = requirement;
    work.progress(`looking for ${name}`);
    examined.push({
      name,
      kernels,
      purpose,
      package: requirement.package,
      found: await find(work, requirement),
    });
  }
  const missing = examined.filter(({ found }) => found === null);
  const packages = [...new Set(missing.map((requirement) => requirement.package))];
  const disk = await examineDisk(work);
  return {
    schemaVersion: 1,
    ready: disk.enough && missing.every(({ kernels }) => kernels !== "all" && kernels !== host),
    requirements: examined,
    install: packages.length === 0 ? null : `apt-get install ${packages.join(" ")}`,
    kvm: await examineKvm(),
    disk,
  };
}

/** First line of what the program says of its version, or the file's path; null when there is none. */
async function find(work: Work, { look }: Requirement): Promise<string | null> {
  if ("file" in look) return existsSync(look.file) ? look.file : null;
  try {
    const { stdout, stderr } = await run(work, [look.program, look.version], { deadline: 10 });
    return (stdout || stderr).split("\n")[0]?.trim() || "present";
  } catch (error) {
    if (error instanceof Fault && error.code === "lacking") return null;
    throw error;
  }
}

async function examineDisk(work: Work): Promise<DoctorReport["disk"]> {
  await mkdir(work.cache, { recursive: true });
  const { bavail, bsize } = await statfs(work.cache);
  const freeBytes = bavail * bsize;
  return { cache: work.cache, freeBytes, enough: freeBytes >= ONE_KERNEL_BYTES };
}

async function examineKvm(): Promise<DoctorReport["kvm"]> {
  try {
    await access("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return { usable: false, reason: "/dev/kvm cannot be opened: guests are emulated, which is slower" };
  }
  return { usable: false, reason: "not proven" };
}
