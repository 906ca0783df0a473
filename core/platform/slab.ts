const SLAB_BYTES = 16 * 1024;
/** Longer ones get memory of their own: they would leave much of a slab unused, and hold it for long. */
const SHARED_BYTES_MAX = 1024;

let slab = new Uint8Array(SLAB_BYTES);
let used = 0;

/**
 * A copy of the bytes. Short ones share their memory with others copied before and after: an array of its own costs V8
 * several times as much. What holds such a copy holds up to 16 KiB.
 */
export function copyOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SHARED_BYTES_MAX) return bytes.slice();
  if (used + bytes.length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  slab.set(bytes, used);
  used += bytes.length;
  return slab.subarray(used - bytes.length, used);
}
