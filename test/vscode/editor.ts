import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { vscodeServer } from "./workbench.js";

/** Chromium starts nothing that talks to the world. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

export interface EditorStart {
  /** Folder for everything that the editor writes. */
  readonly folder: string;
  /** Folder or `.code-workspace` that is opened; an empty window where absent. */
  readonly workspace: string | undefined;
  /** Packed extensions to install. */
  readonly extensions: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Whether everything is trusted; VS Code's own rules hold else. */
  readonly isTrusted: boolean;
}

/** A real VS Code: its server, and its workbench in a browser. */
export interface Editor {
  readonly page: Page;
  /** What server and browser said. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

/** How tests are run in it: both are folders or modules on this machine's disk. */
export interface Payload {
  readonly extensionDevelopmentPath: string;
  readonly extensionTestsPath: string;
  /** Told what the tests write, and their exit code. */
  onLog(line: string): void;
  onExit(code: number): void;
}

/** Starts VS Code with a workspace open. @param payload absent for an editor that a person would see */
export async function startEditor(start: EditorStart, payload?: Payload): Promise<Editor> {
  const { folder, workspace, extensions, env, settings, isTrusted } = start;
  const server = join(await vscodeServer(), "out/server-main.js");
  const [data, installed] = [join(folder, "server-data"), join(folder, "extensions")];
  await mkdir(join(data, "data/Machine"), { recursive: true });
  await mkdir(installed, { recursive: true });
  await writeFile(join(data, "data/Machine/settings.json"), JSON.stringify(settings));
  const own = [
    server,
    "--accept-server-license-terms",
    "--server-data-dir",
    data,
    "--extensions-dir",
    installed,
  ];
  const environment = { ...process.env, ...env, EXTENSIONS_GALLERY: '{"serviceUrl":""}' };
  const log: string[] = [];
  const note = (chunk: Buffer | string) => void log.push(String(chunk).trimEnd());
  const startServer = (args: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [...own, ...args], {
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout?.on("data", note);
    child.stderr?.on("data", note);
    return child;
  };
  for (const extension of extensions) {
    const [status] = await once(startServer(["--install-extension", extension, "--force"]), "close");
    if (status !== 0) throw new Error(`${extension} cannot be installed:\n${log.join("\n")}`);
  }
  const port = await freePort();
  const serving = startServer([
    ...["--host", "127.0.0.1", "--port", String(port), "--without-connection-token"],
    ...["--enable-smoke-test-driver", "--telemetry-level", "off", "--user-data-dir", join(data, "data")],
    ...(isTrusted ? ["--disable-workspace-trust"] : []),
  ]);
  let browser: Browser | undefined;
  const stop = async () => {
    await browser?.close().catch(note);
    if (serving.exitCode !== null) return;
    serving.kill();
    await once(serving, "close");
  };
  try {
    await answering(port, serving, log);
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
    const page = await browser.newPage({ viewport: { width: 1200, height: 720 } });
    page.on("console", (message) => note(`${message.type()}: ${message.text()}`));
    const kind = workspace?.endsWith(".code-workspace") ? "workspace" : "folder";
    const query = new URLSearchParams(workspace === undefined ? { ew: "true" } : { [kind]: workspace });
    if (payload) {
      await page.exposeFunction("codeAutomationLog", (_kind: string, args: unknown[]) =>
        payload.onLog(args.map(String).join(" ")),
      );
      await page.exposeFunction("codeAutomationExit", (code: number) => payload.onExit(code));
      const remote = (path: string) => `vscode-remote://127.0.0.1:${port}${path}`;
      query.set(
        "payload",
        JSON.stringify([
          ["extensionDevelopmentPath", remote(payload.extensionDevelopmentPath)],
          ["extensionTestsPath", remote(payload.extensionTestsPath)],
        ]),
      );
    }
    await page.goto(`http://127.0.0.1:${port}/?${query}`);
    return { page, log, stop };
  } catch (error) {
    await stop();
    throw new Error(`VS Code does not start: ${error}\n${log.slice(-20).join("\n")}`);
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function answering(port: number, server: ChildProcess, log: readonly string[]): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/version`).catch(() => undefined);
    if (answer?.ok) return;
    if (server.exitCode !== null) throw new Error(`the server ended:\n${log.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
