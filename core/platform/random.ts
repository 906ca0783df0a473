import type { Clock, Random } from "./ports.ts";

/** The random numbers of the machine. */
export const systemRandom: Random = {
  number: () => Math.random(),
  below: (bound: number) => Math.floor(Math.random() * bound),
  bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
  uuid: () => crypto.randomUUID(),
};

/**
 * A UUID version 7 (RFC 9562, section 5.7) as 16 bytes: 48 bits of wall-clock milliseconds, then random bits, so that
 * identifiers drawn later compare greater, up to the clocks' disagreement. The time is at least `leastMs`.
 */
export function uuidV7(clock: Clock, random: Random, leastMs = 0): Uint8Array {
  const bytes = random.bytes(16);
  let ms = Math.max(clock.wallMs(), leastMs);
  for (let i = 5; i >= 0; i--) {
    bytes[i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytes;
}

/** The milliseconds in a UUID version 7. */
export function timeOfUuidV7(id: Uint8Array): number {
  return id.subarray(0, 6).reduce((ms, byte) => ms * 256 + byte, 0);
}
