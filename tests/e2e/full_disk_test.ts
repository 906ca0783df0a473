/** A disk that is really full: a small file system of its own for the data, which only root can make. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { TempFolder } from "./harness/folder.ts";
import { KvProcess, runKv } from "./harness/process.ts";

const isRoot = Deno.uid() === 0;
const VALUE = new Uint8Array(512 * 1024).fill(0x76);

/** A file system in memory, mounted below a temporary folder. */
class SmallDisk implements AsyncDisposable {
  private constructor(readonly folder: TempFolder, readonly path: string) {}

  static async mount(size: string): Promise<SmallDisk> {
    const folder = await TempFolder.make();
    const path = `${folder.path}/disk`;
    await Deno.mkdir(path);
    await command("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
    return new SmallDisk(folder, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await command("umount", [this.path]);
    await this.folder[Symbol.asyncDispose]();
  }
}

async function command(name: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(name, { args }).output();
  if (!success) throw new Error(`${name} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

const LIMITS = ["--segment-bytes", "2097152", "--checkpoint-bytes", "2097152", "--reserve-bytes", "2097152"];

/** Takes all room that is left. */
async function takeAllRoom(path: string): Promise<void> {
  using file = await Deno.create(path);
  const bytes = new Uint8Array(64 * 1024);
  try {
    for (;;) await file.write(bytes);
  } catch (error) {
    assertMatch(String(error), /No space left/);
  }
}

for (const toTheLastByte of [false, true]) {
  const how = toTheLastByte ? "filled to the last byte by others" : "filled by writes, down to the reserve";
  Deno.test({
    name: `full disk, ${how}: writes are refused, reads go on, nothing is lost, room ends it`,
    ignore: !isRoot,
    fn: () => fillAndMakeRoom(toTheLastByte),
  });
}

async function fillAndMakeRoom(toTheLastByte: boolean): Promise<void> {
  await using disk = await SmallDisk.mount("32m");
  const ballast = `${disk.path}/ballast`;
  await Deno.writeFile(ballast, new Uint8Array(12 << 20));
  const args = [
    "up",
    "--addr",
    "127.0.0.1:",
    "--data",
    "1",
    "--masters",
    "1",
    "--dir",
    `${disk.path}/cluster`,
  ];
  {
    await using up = new KvProcess([...args, ...LIMITS]);
    const addr = await up.ready("master");
    await up.errorLine(/^kv is ready/);
    assertEquals((await runKv(["put", "key-0", "-", "--addr", addr], { stdin: VALUE })).code, 0);
    if (toTheLastByte) await takeAllRoom(ballast);
    assert(await fill(addr) < 40);
    assertEquals((await runKv(["get", "key-0", "--raw", "--addr", addr])).out.length, VALUE.length);
    await Deno.remove(ballast);
    const again = await runKv(["put", "after", "1", "--addr", addr]);
    assertEquals(again.code, 0, again.err);
    await up.kill();
  }
  await using up = new KvProcess([...args, ...LIMITS]);
  const addr = await up.ready("master");
  await up.errorLine(/^kv is ready/);
  assertEquals((await runKv(["get", "after", "--addr", addr])).out, "1\n");
  assertEquals((await runKv(["get", "key-0", "--raw", "--addr", addr])).out.length, VALUE.length);
}

/** Puts until the disk is full; returns how many were acknowledged. */
async function fill(addr: string): Promise<number> {
  for (let count = 1;; count++) {
    const put = await runKv(["put", `key-${count}`, "-", "--addr", addr], { stdin: VALUE });
    if (put.code === 0) continue;
    assertEquals(put.code, 3, put.err);
    assertMatch(put.err, /disk|room|space/);
    return count;
  }
}
