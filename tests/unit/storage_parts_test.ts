import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { ByteWriter } from "../../core/storage/byte_io.ts";
import { crc32, crc32Within } from "../../core/storage/crc.ts";
import { BLOCK_BYTES, BlockCache } from "../../core/storage/block_cache.ts";
import { DataFile } from "../../core/storage/data_file.ts";
import { FileLock } from "../../core/storage/file_lock.ts";
import { encodeGroupHead, GROUP_HEAD_BYTES } from "../../core/storage/log_group.ts";
import { bufferOf, commitMark, encodeRecord, recordBytes } from "../../core/storage/log_record.ts";
import { scanSegment } from "../../core/storage/log_scan.ts";
import { LogWriter, segmentPath } from "../../core/storage/log_writer.ts";
import { KeyIndex } from "../../core/storage/key_index.ts";
import { decodeManifest } from "../../core/storage/manifest.ts";
import { Places } from "../../core/storage/places.ts";
import { RecordKind } from "../../core/storage/record.ts";
import { Results } from "../../core/storage/results.ts";
import { type Choose, SimDisk } from "../sim/world/disk.ts";
import { Sectors } from "../sim/world/sectors.ts";
import { EveryChoice } from "./storage_script.ts";
import { DiskError } from "../../core/platform/ports.ts";
import { bytesOf, seeded, TestClock } from "./storage_world.ts";

Deno.test("file lock: many readers or one writer, first come, first served", () => {
  const lock = new FileLock();
  const order: string[] = [];
  assert(lock.tryRead() && lock.tryRead());
  lock.write(() => order.push("writer"));
  lock.read(() => order.push("reader 1"));
  lock.read(() => order.push("reader 2"));
  lock.write(() => order.push("last writer"));
  assert(!lock.tryRead() && !lock.tryWrite());
  lock.releaseRead();
  assertEquals(order, []);
  lock.releaseRead();
  assertEquals(order, ["writer"]);
  lock.releaseWrite();
  assertEquals(order, ["writer", "reader 1", "reader 2"]);
  lock.releaseRead();
  lock.releaseRead();
  lock.releaseWrite();
  assertEquals(order.at(-1), "last writer");
  assertThrows(() => lock.releaseRead(), Error, "not held");
  assertThrows(() => lock.releaseWrite(), Error, "not held");
  assert(lock.tryWrite());
});

Deno.test("file lock: work under the lock releases it when it throws", async () => {
  const lock = new FileLock();
  const error = await lock.writing(() => Promise.reject(new Error("no"))).catch((e: Error) => e);
  assertEquals((error as Error).message, "no");
  assert(lock.tryWrite());
});

for (const kind of ["reads", "writes", "mixed"]) {
  Deno.test(`file lock: 100,000 waiters are woken one after the other: ${kind}`, () => {
    const lock = new FileLock();
    let woken = 0;
    assert(lock.tryWrite());
    for (let i = 0; i < 100_000; i++) {
      const writes = kind === "writes" || (kind === "mixed" && i % 3 === 0);
      const taken = () => {
        assertEquals(woken++, i);
        if (writes) lock.releaseWrite();
        else lock.releaseRead();
      };
      if (writes) lock.write(taken);
      else lock.read(taken);
    }
    lock.releaseWrite();
    assertEquals(woken, 100_000);
    assert(lock.tryWrite());
  });
}

Deno.test("file lock: a waiter that throws keeps neither the others nor the lock", () => {
  const lock = new FileLock();
  let woken = 0;
  const taken = (release: () => void) => () => {
    woken++;
    release();
    throw new Error(`waiter ${woken}`);
  };
  assert(lock.tryWrite());
  lock.read(taken(() => lock.releaseRead()));
  lock.write(taken(() => lock.releaseWrite()));
  lock.read(taken(() => lock.releaseRead()));
  assertThrows(() => lock.releaseWrite(), Error, "waiter 1");
  assertEquals(woken, 3);
  assert(lock.tryWrite());
});

const SALT = 12345;

function segmentWith(value: Uint8Array, position: number): Uint8Array {
  const record = {
    ...{ kind: RecordKind.Put, slot: 1, epoch: 1, lsn: 1, key: "k", hash: 7, value },
    ...{ clientId: "", sequence: 0, lowestUnfinished: 0, outcome: 1 },
  };
  const bytes = new Uint8Array(GROUP_HEAD_BYTES + recordBytes(record));
  const buffer = bufferOf(bytes);
  const head = { position, synced: position, bodyBytes: recordBytes(record), count: 1 };
  encodeGroupHead(head, buffer, 0, SALT);
  encodeRecord(record, buffer, GROUP_HEAD_BYTES, SALT, position + GROUP_HEAD_BYTES);
  return bytes;
}

Deno.test("log: a frame is valid at its own place and in its own folder alone", () => {
  const bytes = segmentWith(new Uint8Array(3), 1000);
  const whole = scanSegment(bytes, "f", 1000, SALT);
  assertEquals([[...whole.records()].length, whole.broken.length, whole.synced], [1, 0, 1000]);
  assertEquals([...scanSegment(bytes, "f", 1000, SALT + 1).records()], []);
  const misplaced = new Uint8Array(bytes.length + 16);
  misplaced.set(bytes.subarray(0, GROUP_HEAD_BYTES));
  misplaced.set(bytes.subarray(GROUP_HEAD_BYTES), GROUP_HEAD_BYTES + 16);
  const moved = scanSegment(misplaced, "f", 1000, SALT);
  assertEquals([[...moved.records()], moved.broken.length, moved.broken[0]!.lost], [[], 1, 1]);
});

Deno.test("log: a segment ends where only zeros follow, but not within a group", () => {
  const bytes = segmentWith(new Uint8Array(9), 1000);
  const padded = new Uint8Array(bytes.length + 500);
  padded.set(bytes);
  const { records, broken, end } = scanSegment(padded, "f", 1000, SALT);
  assertEquals([[...records()].length, broken, end], [1, [], 1000 + bytes.length]);
  for (let size = 1; size < bytes.length - 9; size++) {
    const torn = scanSegment(padded.fill(0, size), "f", 1000, SALT);
    assertEquals([[...torn.records()], torn.broken.length], [[], 1], `only ${size} bytes were written`);
    padded.set(bytes);
  }
  padded[padded.length - 1] = 1;
  const stray = scanSegment(padded, "f", 1000, SALT);
  assertEquals([[...stray.records()].length, stray.broken[0]!.offset, stray.end], [
    1,
    bytes.length,
    1000 + padded.length,
  ]);
});

Deno.test("log: a segment grows in steps, and begins again where a full disk has cut it", () => {
  const disk = new SimDisk(new TestClock(), seeded(1));
  disk.makeFolder("d");
  const writer = new LogWriter(disk, "d", SALT, 1, 0, 0, 400);
  const sizes = Array.from({ length: 5 }, () => {
    writer.write([commitMark(1, 1, 1)]);
    return disk.content(segmentPath("d", 1)).length;
  });
  assertEquals([sizes, writer.position], [[400, 400, 400, 400, 800], 440]);
  disk.faults.capacityBytes = disk.usedBytes() + 10;
  assertThrows(() => writer.write([commitMark(1, 1, 1)]), Error, "no space");
  assertEquals([disk.content(segmentPath("d", 1)).length, writer.position], [440, 440]);
  disk.faults.capacityBytes = Infinity;
  writer.write([commitMark(1, 1, 1)]);
  assertEquals([...scanSegment(disk.content(segmentPath("d", 1)), "f", 0, SALT).records()].length, 6);
});

Deno.test("log: frames inside a value are no frames", () => {
  const inner = segmentWith(new Uint8Array(0), 5000);
  const bytes = segmentWith(inner, 1000);
  bytes[GROUP_HEAD_BYTES + 30]! ^= 1;
  const { records, broken } = scanSegment(bytes, "f", 1000, SALT);
  assertEquals([[...records()], broken.length, broken[0]!.offset], [[], 1, GROUP_HEAD_BYTES]);
});

Deno.test("simulated disk: what was not synced may be lost, kept or torn; names need their folder synced", async () => {
  const disk = new SimDisk(new TestClock(), seeded(1));
  disk.makeFolder("d");
  const file = disk.open("d/a", "new");
  file.write(new Uint8Array([1, 2, 3, 4]), 0);
  assertEquals(disk.afterPowerLoss(() => 0).paths(), []);
  disk.syncFolder("d");
  assertEquals(disk.afterPowerLoss(() => 0).content("d/a").length, 0);
  assertEquals([...disk.afterPowerLoss(newest).content("d/a")], [1, 2, 3, 4]);
  await file.sync();
  file.write(new Uint8Array([9]), 1);
  disk.faults.syncFails = () => true;
  assertThrows(() => file.syncNow(), Error, "fdatasync failed");
  disk.faults.syncFails = () => false;
  file.syncNow();
  assertEquals([...disk.content("d/a")], [1, 9, 3, 4]);
  assertEquals([...disk.afterPowerLoss(newest).content("d/a")], [1, 2, 3, 4]);
  disk.rename("d/a", "d/b");
  assertEquals(disk.afterPowerLoss(() => 0).paths(), ["d/a"]);
  assertEquals(disk.paths(), ["d/b"]);
  disk.faults.capacityBytes = 5;
  assertThrows(() => file.write(new Uint8Array(4), 4), Error, "no space");
  assertEquals(file.sizeBytes(), 5);
});

Deno.test("manifest: one of format 1 is read, one of a format to come is not", () => {
  const content = (format: number) => {
    const body = new ByteWriter();
    for (const [u32, ...f64] of [[format], [7, 100, 90], [0], [1]] as const) {
      body.u32(u32);
      for (const each of f64) body.f64(each);
    }
    body.u32(5); // the slot
    for (const f64 of [12, 3, 14]) body.f64(f64);
    for (const u32 of [2, 99]) body.u32(u32);
    body.u8(0);
    body.text("client-id-a-----");
    body.u32(0);
    const half = new Uint8Array(16 + body.take().length);
    const view = new DataView(half.buffer);
    view.setUint32(0, 0x5043564b, true);
    view.setFloat64(8, body.take().length, true);
    half.set(body.take(), 16);
    view.setUint32(4, crc32(half.subarray(8)), true);
    return Uint8Array.from([...half, ...half]);
  };
  const { manifest } = decodeManifest(content(1))!;
  assertEquals([manifest.segment, manifest.position, manifest.synced], [7, 100, 90]);
  const { slot, committedLsn, committedEpoch, durableLsn, keys, digest, partial, sessions } = manifest
    .slots[0]!;
  assertEquals([slot, committedLsn, committedEpoch, durableLsn, keys, digest], [5, 12, 3, 14, 2, 99]);
  assertEquals([partial, sessions], [false, { forgotten: "client-id-a-----", clients: [] }]);
  assertThrows(() => decodeManifest(content(99)), RangeError, "format 99");
});

const newest: Choose = (count) => count - 1;

/** All contents that the file may have, as text. */
function possible(sectors: Sectors): Set<string> {
  const every = new EveryChoice();
  const found = new Set<string>();
  do found.add(String.fromCharCode(...sectors.pick(every.choose))); while (every.next());
  return found;
}

const sectorsOf = (stable: string) => new Sectors(bytesOf(stable), 2);

Deno.test("simulated disk: any subset of sectors, and any of the sizes, may be left of what was not synced", () => {
  const written = sectorsOf("abcd");
  written.write(1, bytesOf("XYZ"));
  assertEquals(possible(written), new Set(["abcd", "aXcd", "abYZ", "aXYZ"]));
  const grown = sectorsOf("ab");
  grown.write(1, bytesOf("XYZ"));
  assertEquals(possible(grown), new Set(["ab", "aX", "ab\0\0", "aX\0\0", "abYZ", "aXYZ"]));
  const twice = sectorsOf("");
  twice.write(0, bytesOf("a"));
  twice.write(0, bytesOf("bcde"));
  assertEquals([...possible(twice)].map((each) => each.length).sort()[0], 0);
  assert(possible(twice).has("b") && possible(twice).has("a\0de") && possible(twice).has("bc"));
});

Deno.test("simulated disk: what was cut off does not come back behind a cut that is there", () => {
  const cut = sectorsOf("abcdef");
  cut.truncate(1);
  cut.write(1, bytesOf("XYZ"));
  const found = possible(cut);
  assert(found.has("abcdef") && found.has("a\0\0\0") && found.has("aXYZ") && found.has("a\0YZ"));
  // Written behind the cut, before the cut itself is on the disk.
  assert(found.has("abYZef") && found.has("aXYZef"));
  for (const content of found) assert(content.length > 4 || !/[bcd]/.test(content), content);
});

Deno.test("key index: equals a Map through adding, removing and growing", () => {
  const random = seeded(2);
  const places = new Places();
  const index = new KeyIndex(places);
  const twin = new Map<string, number>();
  // Few hashes, so that many keys meet in the same cells.
  const hashOf = (key: string) => key.charCodeAt(0) * 137;
  for (let i = 0; i < 20_000; i++) {
    const key = String.fromCharCode(random.below(256), random.below(4)) + "x".repeat(random.below(3));
    const row = index.get(key, hashOf(key));
    assertEquals(row, twin.get(key) ?? -1);
    if (row < 0 && random.below(3) > 0) {
      const added = places.add(key);
      index.add(hashOf(key), added);
      twin.set(key, added);
    } else if (random.below(2) === 0) {
      assertEquals(index.delete(key, hashOf(key)), row);
      if (row >= 0) places.release(row);
      twin.delete(key);
    }
    assertEquals(index.size, twin.size);
  }
  const found = [...index.rows()].map((row): [string, number] => [places.key(row), row]);
  assertEquals(new Map(found), twin);
});

Deno.test("block cache: gives back what was put, keeps no more than it may, and spares what is used", () => {
  const random = seeded(3);
  const cache = new BlockCache(50 * BLOCK_BYTES);
  const put = new Map<string, Uint8Array>();
  const memory = new Set<Uint8Array>();
  for (let i = 0; i < 20_000; i++) {
    const [file, number] = [random.below(3), random.below(100)];
    const found = cache.get(file, number);
    if (found !== undefined) {
      assert(found === put.get(`${file} ${number}`));
      continue;
    }
    const block = cache.take();
    for (const [key, bytes] of put) if (bytes === block) put.delete(key);
    memory.add(block);
    put.set(`${file} ${number}`, block);
    cache.put(file, number, block);
  }
  const held = Array.from({ length: 300 }, (_, i) => cache.get(Math.floor(i / 100), i % 100));
  assertEquals([held.filter(Boolean).length, memory.size], [50, 51]);
  for (let i = 0; i < 49; i++) cache.put(9, i, cache.take());
  const used = [0, 1].map((number) => cache.get(9, number));
  for (let i = 100; i < 140; i++) cache.put(9, i, cache.take());
  assertEquals([0, 1].map((number) => cache.get(9, number)), used);
});

Deno.test("results: equal a Map through adding, replacing and dropping, in any order of sequence", () => {
  const random = seeded(4);
  const results = new Results();
  const twin = new Map<number, number>();
  let lowest = 0;
  for (let i = 1; i < 20_000; i++) {
    // Windows of very different size, so that the memory grows and shrinks.
    const sequence = lowest + random.below(i % 5000 < 2500 ? 10 : 500);
    results.set(sequence, { lsn: i, epoch: 1, outcome: 2 });
    twin.set(sequence, i);
    if (random.below(20) === 0) {
      results.dropBelow(lowest += random.below(20));
      for (const each of twin.keys()) if (each < lowest) twin.delete(each);
    }
    const asked = lowest + random.below(20);
    assertEquals(results.get(asked)?.lsn, twin.get(asked));
  }
  const sorted = [...twin].sort((a, b) => a[0] - b[0]);
  assertEquals(results.entries(), sorted.map(([sequence, lsn]) => [sequence, { lsn, epoch: 1, outcome: 2 }]));
});

Deno.test("crc: of short and long parts, as zlib has it", () => {
  const bytes = seeded(3).bytes(300);
  for (let from = 0; from < 20; from++) {
    for (let length = 0; length < 200; length++) {
      const seed = (from * 0x9e3779b1 + length) >>> 0;
      const expected = crc32(bytes.subarray(from, from + length), seed);
      assertEquals(crc32Within(bytes, from, from + length, seed), expected);
    }
  }
});

Deno.test("data file: whatever is written when, and refused by a full disk, it reads what was appended", () => {
  const random = seeded(5);
  const disk = new SimDisk(new TestClock(), random);
  const cache = new BlockCache(4 * BLOCK_BYTES);
  const parts = { id: 1, index: 0, generation: 0, path: "data", seed: 0, disk, cache };
  let file = new DataFile(parts, 0);
  const twin = Buffer.alloc(4 << 20);
  let size = 0;
  let refused = 0;
  for (let i = 1; i <= 1000; i++) {
    const record = new Uint8Array(1 + random.below(random.below(20) === 0 ? 90_000 : 900)).fill(i);
    assertEquals(file.append(record), size);
    twin.set(record, size);
    size += record.length;
    disk.faults.capacityBytes = random.below(4) > 0 ? Infinity : size - random.below(20_000);
    if (random.below(20) === 0 && !flushes(file)) refused++;
    const offset = random.below(size);
    const length = Math.min(1 + random.below(20_000), size - offset);
    for (
      const found of [file.read(offset, length), file.peek(offset, length), file.readAside(offset, length)]
    ) {
      assert(twin.subarray(offset, offset + length).equals(found), `${length} bytes at ${offset} of ${size}`);
    }
    if (random.below(50) > 0 || !flushes(file)) continue;
    file.close();
    file = new DataFile({ ...parts, id: i }, size);
  }
  assert(refused > 0);
});

/** False: there was no room. */
function flushes(file: DataFile): boolean {
  try {
    file.flush();
    return true;
  } catch (error) {
    assert(error instanceof DiskError && error.fault === "full");
    return false;
  }
}
