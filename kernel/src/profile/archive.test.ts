import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { debianSources, download } from "./archive.js";

// As apt 2.6 prints it on a machine with a vendor's archive among its sources.
const URIS = `'http://deb.debian.org/debian/dists/bookworm/InRelease' deb.debian.org_debian_dists_bookworm_InRelease 0
'https://deb.nodesource.com/node_20.x/dists/nodistro/InRelease' deb.nodesource.com_node%5f20.x_dists_nodistro_InRelease 0
'http://deb.debian.org/debian/dists/bookworm/main/binary-amd64/Packages.xz' deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages 0
'http://deb.debian.org/debian/dists/bookworm/main/binary-all/Packages.xz' deb.debian.org_debian_dists_bookworm_main_binary-all_Packages 0
'http://deb.debian.org/debian/dists/bookworm/non-free-firmware/binary-amd64/Packages.xz' deb.debian.org_debian_dists_bookworm_non-free-firmware_binary-amd64_Packages 0
'http://deb.debian.org/debian-security/dists/bookworm-security/main/binary-amd64/Packages.xz' deb.debian.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages 0
'https://deb.nodesource.com/node_20.x/dists/nodistro/main/binary-amd64/Packages.bz2' deb.nodesource.com_node%5f20.x_dists_nodistro_main_binary-amd64_Packages 0
'cdrom:[Debian GNU/Linux 12]/debian/dists/bookworm/main/binary-amd64/Packages.xz' x 0
'http://snapshot.debian.org/archive/debian/20250520T000000Z/dists/bookworm/main/binary-amd64/Packages.xz' x 0
`;

test("of apt's sources, Debian's own archives are taken", () => {
  expect(debianSources(URIS).map((line) => line.replace(/ \[.*?\]/, ""))).toEqual([
    "deb http://deb.debian.org/debian bookworm main non-free-firmware",
    "deb http://deb.debian.org/debian-security bookworm-security main",
    "deb http://snapshot.debian.org/archive/debian/20250520T000000Z bookworm main",
  ]);
  expect(debianSources(URIS)[0]).toContain("[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]");
});

const content = randomBytes(3_000_000);
const sha256 = createHash("sha256").update(content).digest("hex");
const HALF = 1_000_000;

let folder = "";
let server: Server;
let uri = "";
/** Whether the server stops in the middle of its answer. */
let stalls = false;
/** The status of each answer. */
let answers: number[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "archive-"));
  await mkdir(join(folder, "apt"));
  await writeFile(join(folder, "apt/apt.conf"), 'APT::Sandbox::User "";\n');
  answers = [];
  stalls = false;
  // As a mirror does: the rest of a file only goes to those who name the date of the file that they have.
  const date = "Tue, 01 Sep 2026 10:00:00 GMT";
  server = createServer((request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const continues = from > 0 && request.headers["if-range"] === date;
    const body = continues ? content.subarray(from) : content;
    answers.push(continues ? 206 : 200);
    response.writeHead(continues ? 206 : 200, {
      "content-length": body.length,
      "last-modified": date,
      ...(continues ? { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
    });
    if (stalls) response.write(body.subarray(0, HALF));
    else response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  uri = `http://127.0.0.1:${address.port}/linux-image_1_amd64.deb`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

const work = (signal = new AbortController().signal) => ({
  signal,
  cache: folder,
  progress: () => undefined,
});
const file = () => ({ uri, path: join(folder, "image.deb"), size: content.length, sha256 });

test("what a killed download left is continued", async () => {
  stalls = true;
  const stop = new AbortController();
  const first = download(work(stop.signal), [file()]);
  const partial = `${file().path}.partial`;
  while (!((await stat(partial).catch(() => undefined))?.size === HALF && existsSync(`${partial}.date`)))
    await setTimeout(20);
  stop.abort();
  await expect(first).rejects.toThrow("interrupted");
  expect(existsSync(file().path)).toBe(false);

  stalls = false;
  await download(work(), [file()]);
  expect(answers).toEqual([200, 206]);
  expect((await readFile(file().path)).equals(content)).toBe(true);
  expect(existsSync(partial)).toBe(false);

  await download(work(), [file()]);
  expect(answers, "a file that is there is not fetched again").toHaveLength(2);
});

test("a file other than the index says is refused", async () => {
  const wrong = { ...file(), sha256: "0".repeat(64) };
  await expect(download(work(), [wrong])).rejects.toThrow(/cannot download image.deb.*[Hh]ash/s);
  expect(existsSync(wrong.path)).toBe(false);
});

test("without anybody who answers, one line says so", async () => {
  const absent = { ...file(), uri: "http://127.0.0.1:9/x.deb" };
  await expect(download(work(), [absent])).rejects.toThrow(
    /^cannot download image.deb: .*(connect|refused)/i,
  );
});

test("a file too large for the disk is not begun", async () => {
  await expect(download(work(), [{ ...file(), size: 1e15 }])).rejects.toThrow(/MB free, .* MB are needed/);
  expect(answers).toEqual([]);
});
