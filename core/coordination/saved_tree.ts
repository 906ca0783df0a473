import { crc32 } from "node:zlib";
import { type Disk, DiskError, type DiskFile } from "../platform/ports.ts";
import { KvError } from "../platform/errors.ts";
import type { TreeNode } from "./tree.ts";

/** What the embedded coordinator keeps between its runs. */
export interface SavedTree {
  /** Counts the runs on this folder, from 1. */
  readonly run: number;
  /** Persistent nodes only, parents first. */
  readonly nodes: readonly TreeNode[];
}

const FORMAT = "kv-coordinator 1";

/**
 * The file of a {@link SavedTree}: a line `kv-coordinator 1 CRC32 BYTES`, then that many bytes of JSON. Replaced as a
 * whole: written aside, synced, renamed, folder synced, so that a crash leaves the old one or the new one.
 */
export class TreeFile {
  readonly #path: string;
  readonly #aside: string;

  constructor(private readonly disk: Disk, private readonly folder: string) {
    this.#path = `${folder}/coordinator`;
    this.#aside = `${folder}/coordinator.new`;
  }

  /** Undefined when nothing was ever saved. Throws `damaged` when the file is not what {@link save} wrote. */
  load(): SavedTree | undefined {
    let file: DiskFile;
    try {
      file = this.disk.open(this.#path, "never");
    } catch (error) {
      if (error instanceof DiskError && error.fault === "not-found") return undefined;
      throw error;
    }
    try {
      const bytes = new Uint8Array(file.sizeBytes());
      return this.#parse(bytes.subarray(0, file.read(bytes, 0)));
    } finally {
      file.close();
    }
  }

  /** Throws {@link DiskError}. With `full` the old file stands as before; with others the new one may stand. */
  save(tree: SavedTree): void {
    const body = new TextEncoder().encode(JSON.stringify(tree));
    const head = new TextEncoder().encode(`${FORMAT} ${hex(crc32(body))} ${body.length}\n`);
    const file = this.disk.open(this.#aside, "if-missing");
    try {
      file.truncate(0);
      file.write(head, 0);
      file.write(body, head.length);
      file.syncNow();
    } finally {
      file.close();
    }
    this.disk.rename(this.#aside, this.#path);
    this.disk.syncFolder(this.folder);
  }

  #parse(bytes: Uint8Array): SavedTree {
    const end = bytes.indexOf(10);
    const head = new TextDecoder().decode(bytes.subarray(0, Math.max(0, end)));
    const match = /^kv-coordinator 1 ([0-9a-f]{8}) ([0-9]+)$/.exec(head);
    if (match === null) throw this.#damaged(`its first line is not "${FORMAT} CRC32 BYTES"`);
    const body = bytes.subarray(end + 1);
    if (body.length !== Number(match[2])) {
      throw this.#damaged(`${body.length} bytes follow its first line, which announces ${match[2]}`);
    }
    const found = hex(crc32(body));
    if (found !== match[1]) throw this.#damaged(`its checksum is ${found}, its first line says ${match[1]}`);
    return JSON.parse(new TextDecoder().decode(body)) as SavedTree;
  }

  #damaged(why: string): KvError {
    const wayOut = "put a copy of the file back, or start with another folder";
    return new KvError("damaged", `the coordinator's file ${this.#path} is damaged: ${why}; ${wayOut}`);
  }
}

function hex(crc: number): string {
  return (crc >>> 0).toString(16).padStart(8, "0");
}
