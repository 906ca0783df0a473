import { assertEquals, assertThrows } from "@std/assert";
import { fnv1a32, fnv1a32Binary } from "../../core/ring/hash.ts";
import { slotOf } from "../../core/ring/placement.ts";
import {
  fileCount,
  fileIndex,
  fileIndexPath,
  filePath,
  isPrime,
  primesFrom3,
} from "../../core/ring/primes.ts";
import { Seeded } from "./seeded.ts";

const utf8 = new TextEncoder();

Deno.test("hash: the published vectors of FNV-1a", () => {
  const vectors = { "": 0x811c9dc5, a: 0xe40c292c, b: 0xe70c2de5, foobar: 0xbf9cf968 };
  for (const [text, hash] of Object.entries(vectors)) assertEquals(fnv1a32(utf8.encode(text)), hash, text);
});

Deno.test("hash: slots of the original report's keys", () => {
  const slots = { c: 34, e: 2, b: 85, ds: 105, ca: 130, os: 134 };
  for (const [key, slot] of Object.entries(slots)) {
    assertEquals(slotOf(fnv1a32(utf8.encode(key)), 137), slot, key);
  }
});

Deno.test("hash: against the definition in whole numbers, for bytes and binary strings", () => {
  const random = new Seeded(1);
  for (let run = 0; run < 1000; run++) {
    const bytes = Uint8Array.from({ length: random.below(40) }, () => random.below(256));
    let expected = 0x811c9dc5n;
    for (const byte of bytes) expected = (expected ^ BigInt(byte)) * 0x01000193n % 2n ** 32n;
    assertEquals(fnv1a32(bytes), Number(expected));
    assertEquals(fnv1a32Binary(String.fromCharCode(...bytes)), Number(expected));
  }
});

Deno.test("primes: trial division against the sieve", () => {
  const composite = new Set<number>();
  for (let i = 2; i <= 1100; i++) for (let j = 2 * i; j <= 1100; j += i) composite.add(j);
  for (let i = 0; i <= 1100; i++) assertEquals(isPrime(i), i >= 2 && !composite.has(i), String(i));
  for (const strange of [-7, 2.5, NaN, Infinity]) assertEquals(isPrime(strange), false, String(strange));
  assertEquals(primesFrom3(6), [3, 5, 7, 11, 13, 17]);
});

Deno.test("files: the original report's example", () => {
  assertEquals(slotOf(1395665, 137), 46);
  assertEquals(filePath(1395665, 2), "2/0");
  assertEquals([1, 2, 3, 4].map(fileCount), [3, 15, 105, 1155]);
});

Deno.test("files: number and path are the remainders by each prime, at every level", () => {
  const random = new Seeded(2);
  for (let run = 0; run < 2000; run++) {
    const hash = random.below(2 ** 32);
    for (let levels = 1; levels <= 4; levels++) {
      const path = [3, 5, 7, 11].slice(0, levels).map((prime) => hash % prime).join("/");
      assertEquals(filePath(hash, levels), path);
      assertEquals(fileIndexPath(fileIndex(hash, levels), levels), path);
    }
  }
});

Deno.test("files: numbers are dense, paths distinct, and every file equally likely", () => {
  for (let levels = 1; levels <= 4; levels++) {
    const count = fileCount(levels);
    const paths = Array.from({ length: count }, (_, index) => fileIndexPath(index, levels));
    assertEquals(new Set(paths).size, count);
    const hits = new Uint32Array(count);
    for (let hash = 0; hash < 3 * count; hash++) hits[fileIndex(hash, levels)]! += 1;
    assertEquals(hits.every((hit) => hit === 3), true);
  }
});

Deno.test("files: numbers and levels out of bounds are refused", () => {
  for (const levels of [0, 5, 1.5, NaN]) {
    assertThrows(() => fileIndex(1, levels), RangeError, `levels ${levels}`);
  }
  for (const index of [-1, 15, 0.5]) assertThrows(() => fileIndexPath(index, 2), RangeError, "0..14");
});
