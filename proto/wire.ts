/**
 * What the generated code reads messages with, in place of its own: generated decoding makes two empty arrays and a
 * big-integer object per message, which costs more than all the rest; generated encoding makes an object of two halves per
 * number. `scripts/proto` puts these in.
 */

import type { Reader, Writer } from "protobufjs/minimal";

/** The default of every `bytes` field. One for all: an array without elements cannot be changed. */
export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

/** Reads a varint as a number; throws above 2^53 - 1, and where the message ends within it. */
export function readUint64(reader: Reader): number {
  const bytes = reader.buf;
  let value = 0;
  let scale = 1;
  while (reader.pos < reader.len) {
    const byte = bytes[reader.pos++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (value <= Number.MAX_SAFE_INTEGER) return value;
      break;
    }
    scale *= 0x80;
  }
  throw new RangeError(`a number in the message is cut off or above ${Number.MAX_SAFE_INTEGER}`);
}

/** Writes a number as a varint. */
export function writeUint64(writer: Writer, value: number): Writer {
  return value >= 0 && value <= 0xffff_ffff ? writer.uint32(value) : writer.uint64(value);
}
