import type { Planted } from "./planted.ts";

/** Faults in the dealing with data files that have rotted or cannot be read. */
export const PLANTED_DAMAGE: readonly Planted[] = [
  {
    name: "checksums of values not looked at",
    file: "core/storage/data_record.ts",
    find: "export function dataChecksum(record: Uint8Array): number {",
    replace: "export function dataChecksum(record: Uint8Array): number {\n" +
      "  if (record.length > 0) return new DataView(record.buffer, record.byteOffset).getUint32(4, true);",
    why: "rot is served as data",
  },
  {
    name: "an unreadable sector ends the node",
    file: "core/storage/data_file.ts",
    find: '    if (!(error instanceof DiskError && error.fault === "io")) throw error;\n    return false;',
    replace: "    throw error;",
    why: "its folder never opens again",
  },
];
