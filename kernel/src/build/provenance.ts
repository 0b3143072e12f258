import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
// biome-ignore lint/style/noRestrictedImports: asks the compiler for a path.
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import type { PatchModule } from "./build.js";
import type { FileChange, PatchFile } from "./patch-files.js";

/** A resource as in-toto describes it (in-toto attestation specification v1, ResourceDescriptor). */
interface Resource {
  readonly name: string;
  readonly digest: { readonly sha256: string };
}

/** What a build was made of. */
export interface BuildMaterials {
  readonly patches: readonly PatchFile[];
  readonly changes: readonly FileChange[];
  /** Translation units that were compiled before and after. */
  readonly units: readonly string[];
  readonly replace: boolean;
  readonly signed: boolean;
}

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
);

/**
 * Says what a module was made of and by whom: an in-toto Statement v1 with a SLSA provenance v1 predicate
 * (https://slsa.dev/spec/v1.0/provenance). It names no times and no places of this machine, so that it is the same
 * wherever the module is.
 */
export async function provenanceOf(
  work: Pick<Work, "signal">,
  profile: KernelProfile,
  module: PatchModule,
  { patches, changes, units, replace, signed }: BuildMaterials,
): Promise<string> {
  const ofFile = async (name: string, path: string) => resource(name, await readFile(path));
  const before = changes.flatMap((change) => (change.before ? [change.path] : []));
  const sources = [...new Set([...before, ...units])].sort();
  const { id, arch, release, compiler, configDrift, origin } = profile;
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "patch.ko", digest: { sha256: module.sha256 } }],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        // Described in docs/guide.md.
        buildType: "urn:kernel-hotpatch:build:v1",
        externalParameters: {
          kernel: id,
          module: module.name,
          patches: patches.map(({ name, text }) => resource(name.replace(/^.*\//, ""), text)),
          replace,
          signed,
        },
        internalParameters: {
          arch,
          release,
          backend: module.backend,
          source: origin,
          compiler: compiler.version,
          imageCompiler: compiler.builtWith,
          configDrift,
        },
        resolvedDependencies: [
          ...(await Promise.all([
            ofFile("kernel image", profile.image),
            ofFile("kernel config", profile.config),
            ofFile("Module.symvers", profile.moduleSymvers),
            ofFile("kallsyms", profile.symbolTable),
            ofFile("compiler cc1", await compilerProper(work, compiler.command)),
            ...sources.map((path) => ofFile(`source ${path}`, join(profile.source, path))),
          ])),
        ] satisfies Resource[],
      },
      runDetails: {
        builder: {
          id: `pkg:npm/%40kernel-hotpatch/kernel@${version}`,
          version: { "kernel-hotpatch": version },
        },
      },
    },
  };
  return `${JSON.stringify(statement, undefined, 2)}\n`;
}

function resource(name: string, content: Uint8Array): Resource {
  return { name, digest: { sha256: createHash("sha256").update(content).digest("hex") } };
}

/** The program that does the work: what people call is only its driver. */
async function compilerProper(work: Pick<Work, "signal">, command: string): Promise<string> {
  return (await runOk(work, [command, "-print-prog-name=cc1"])).trim();
}
