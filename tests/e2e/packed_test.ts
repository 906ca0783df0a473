/** The first start of an executable that scripts/build has packed, and of one that was packed here with next to nothing. */

import { assertEquals, assertMatch } from "@std/assert";
import { TempFolder } from "./harness/folder.ts";

const binary = Deno.env.get("KV_BIN");
const packed = binary !== undefined && (await firstBytes(binary, 2)) === "#!";

async function firstBytes(path: string, length: number): Promise<string> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(length);
  await file.read(bytes);
  return new TextDecoder().decode(bytes);
}

/** Runs it with nothing in its environment but a cache folder. */
async function version(program: string, cache: string) {
  const command = new Deno.Command(program, {
    args: ["--version"],
    clearEnv: true,
    env: { XDG_CACHE_HOME: cache },
  });
  const { code, stdout, stderr } = await command.output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: "packed: starts in an empty environment, also twice at once, and keeps one private folder",
  ignore: !packed,
  async fn() {
    await using folder = await TempFolder.make();
    const runs = await Promise.all([version(binary!, folder.path), version(binary!, folder.path)]);
    for (const { code, out, err } of runs) {
      assertEquals(code, 0, err);
      assertMatch(out, /^kv \d/);
    }
    const unpacked = [...Deno.readDirSync(`${folder.path}/kv`)].map(({ name }) => name);
    assertEquals(unpacked.length, 1, unpacked.join());
    assertMatch(unpacked[0]!, /^[0-9a-f]{64}$/);
    assertEquals(Deno.statSync(`${folder.path}/kv/${unpacked[0]}`).mode! & 0o777, 0o700);
  },
});

Deno.test({
  name: "packed: a damaged file is refused and leaves nothing that would be run",
  ignore: !packed,
  async fn() {
    await using folder = await TempFolder.make();
    const copy = `${folder.path}/kv`;
    await Deno.copyFile(binary!, copy);
    const file = await Deno.open(copy, { read: true, write: true });
    await file.seek(-1000, Deno.SeekMode.End);
    const byte = new Uint8Array(1);
    await file.read(byte);
    byte[0]! ^= 1;
    await file.seek(-1000, Deno.SeekMode.End);
    await file.write(byte);
    file.close();
    const { code, out, err } = await version(copy, `${folder.path}/cache`);
    assertEquals({ code, out }, { code: 6, out: "" }, err);
    assertMatch(err, /is damaged/);
    assertEquals([...Deno.readDirSync(`${folder.path}/cache/kv`)], []);
  },
});

/** What scripts/build makes, but with a program that only says that all of it is there. */
async function packLittle(folder: string): Promise<string> {
  const payload = `${folder}/payload`;
  await Deno.mkdir(payload);
  await Deno.writeTextFile(`${payload}/deno`, '#!/bin/sh\n[ -f "${0%/*}/kv.js" ] && echo kv 1\n', {
    mode: 0o755,
  });
  await Deno.writeTextFile(`${payload}/kv.js`, "");
  const tar = new Deno.Command("tar", { args: ["-C", payload, "-czf", "-", "deno", "kv.js"] });
  const archive = (await tar.output()).stdout;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", archive)).toHex();
  const start = await Deno.readTextFile(`${import.meta.dirname}/../../scripts/packed.sh`);
  const program = `${folder}/kv-little`;
  const head = new TextEncoder().encode(start.replace("@HASH@", hash).replace("@FLAGS@", ""));
  await Deno.writeFile(program, new Uint8Array([...head, ...archive]), { mode: 0o755 });
  return program;
}

Deno.test("packed: of many first starts at once, none takes from another what it has unpacked", async () => {
  await using folder = await TempFolder.make();
  const program = await packLittle(folder.path);
  for (let round = 0; round < 8; round++) {
    const cache = `${folder.path}/cache-${round}`;
    const runs = await Promise.all(Array.from({ length: 6 }, () => version(program, cache)));
    for (const run of runs) assertEquals(run, { code: 0, out: "kv 1\n", err: "" }, `round ${round}`);
    assertEquals([...Deno.readDirSync(`${cache}/kv`)].length, 1);
  }
});

Deno.test("packed: what is missing from the cache folder is put there again", async () => {
  await using folder = await TempFolder.make();
  const program = await packLittle(folder.path);
  const whole = { code: 0, out: "kv 1\n", err: "" };
  for (const lost of ["", "kv.js", "deno"]) {
    if (lost !== "") await Deno.remove(`${folder.path}/kv/${hashIn(folder.path)}/${lost}`);
    assertEquals(await version(program, folder.path), whole, lost);
  }
});

/** Name of the one folder that was unpacked. */
function hashIn(cache: string): string {
  return [...Deno.readDirSync(`${cache}/kv`)][0]!.name;
}
