import type { BuildRequest } from "@kernel-hotpatch/kernel/build/build-patch";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Command } from "commander";

/** What can be said about the module to be made, whatever it is made for. */
export interface ModuleOptions {
  readonly replace?: boolean;
  readonly signKey?: string;
  readonly signCert?: string;
}

export function addModuleOptions(command: Command): Command {
  return command
    .option("--replace", "once loaded, take the place of all hot patches loaded before (atomic replace)")
    .option("--no-replace", "be added to the hot patches loaded before (the default)")
    .option("--sign-key <file>", "private key (PEM, no passphrase) to sign the module with")
    .option("--sign-cert <file>", "certificate of that key (PEM)");
}

/** @throws Fault `bad-input` for a key without its certificate, or the other way round */
export function moduleRequest({
  replace,
  signKey,
  signCert,
}: ModuleOptions): Pick<BuildRequest, "replace" | "signing"> {
  if ((signKey === undefined) !== (signCert === undefined))
    throw new Fault("bad-input", "--sign-key and --sign-cert go together");
  return {
    replace: replace === true,
    ...(signKey !== undefined &&
      signCert !== undefined && { signing: { key: signKey, certificate: signCert } }),
  };
}
