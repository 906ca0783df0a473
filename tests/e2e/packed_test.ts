/** The first start of an executable that scripts/build has packed. */

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
