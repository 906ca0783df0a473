import type { Disk, DiskFile } from "../platform/ports.ts";
import { encodeGroupHead, GROUP_HEAD_BYTES } from "./log_group.ts";
import { type Buffer, bufferOf, encodeRecord, recordBytes } from "./log_record.ts";
import type { LogRecord } from "./record.ts";

const KEPT_BUFFER_BYTES = 1 << 20;
/**
 * A segment is made longer, by zeros that take no room yet, in steps of this or of a whole segment: the sync of a group
 * that does not change the length of the file has less to do, as a rule nothing but to write the group.
 */
const STEP_BYTES_MAX = 1 << 20;

/** Path of the segment in the log's folder. */
export function segmentPath(folder: string, segment: number): string {
  return `${folder}/${String(segment).padStart(10, "0")}.log`;
}

/** Number of the segment with this file name; undefined for other files. */
export function segmentOf(name: string): number | undefined {
  const match = /^(\d{10})\.log$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/**
 * Writes groups to the newest segment. One group at a time: the next is written after the last one was synced. A mark
 * needs no sync: the next group's covers it.
 */
export class LogWriter {
  #buffer: Buffer = bufferOf(new Uint8Array(64 << 10));
  #file: DiskFile;
  #segment: number;
  /** Where the segment begins, where the next group goes, and how far all is on stable storage. synced <= position. */
  #start: number;
  #position: number;
  #synced: number;
  /**
   * Whether groups may tell that more is synced than was known at the start. What stands in the segments before this
   * process's own may only have been read from the page cache, until a checkpoint does without them.
   */
  #vouching = false;
  /** Length of the file; what is behind `#position` is zeros. #position - #start <= #fileBytes */
  #fileBytes = 0;
  readonly #stepBytes: number;

  /**
   * Begins `segment`, a new file, at `position` of the log. `synced`: how far what stands before it is known to be on
   * stable storage. What was only read back from the page cache is not: its loss would be taken for damage.
   */
  constructor(
    readonly disk: Disk,
    readonly folder: string,
    readonly salt: number,
    segment: number,
    position: number,
    synced: number,
    segmentBytes: number,
  ) {
    this.#segment = segment;
    this.#stepBytes = Math.min(STEP_BYTES_MAX, segmentBytes);
    this.#start = this.#position = position;
    this.#synced = synced;
    this.#file = disk.open(segmentPath(folder, segment), "new");
    disk.syncFolder(folder);
  }

  get segment(): number {
    return this.#segment;
  }

  get position(): number {
    return this.#position;
  }

  get segmentBytes(): number {
    return this.#position - this.#start;
  }

  /** Writes the records as one group; none: a mark. On a DiskError `full` nothing has been written. */
  write(records: readonly LogRecord[]): void {
    let bytes = GROUP_HEAD_BYTES;
    for (const record of records) bytes += recordBytes(record);
    const buffer = this.#bufferFor(bytes);
    const position = this.#position;
    const { salt } = this;
    const head = {
      position,
      synced: this.#synced,
      bodyBytes: bytes - GROUP_HEAD_BYTES,
      count: records.length,
    };
    encodeGroupHead(head, buffer, 0, salt);
    let at = GROUP_HEAD_BYTES;
    for (const record of records) at = encodeRecord(record, buffer, at, salt, position + at);
    const offset = position - this.#start;
    try {
      this.#makeRoom(offset + bytes);
      this.#file.write(buffer.bytes.subarray(0, bytes), offset);
    } catch (error) {
      // Synced, or after a power loss parts of this group could pass for parts of the next one at its place.
      this.#file.truncate(offset);
      this.#fileBytes = offset;
      this.#file.syncNow();
      throw error;
    }
    this.#position += bytes;
  }

  syncNow(): void {
    this.#file.syncNow();
    if (this.#vouching) this.#synced = this.#position;
  }

  /** A checkpoint is durable that needs nothing of the log before this process's own segments. */
  vouch(): void {
    this.#vouching = true;
  }

  /** Nothing may be written until it resolves. */
  async sync(): Promise<void> {
    await this.#file.sync();
    if (this.#vouching) this.#synced = this.#position;
  }

  /** Begins a new segment. All that was written must be synced, but for marks. */
  roll(): void {
    if (this.#synced !== this.#position) this.syncNow();
    const file = this.disk.open(segmentPath(this.folder, this.#segment + 1), "new");
    this.disk.syncFolder(this.folder);
    this.#file.close();
    this.#file = file;
    this.#fileBytes = 0;
    this.#segment++;
    this.#start = this.#position;
  }

  close(): void {
    this.#file.close();
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#fileBytes) return;
    const fileBytes = Math.ceil(bytes / this.#stepBytes) * this.#stepBytes;
    this.#file.truncate(fileBytes);
    this.#fileBytes = fileBytes;
  }

  #bufferFor(bytes: number): Buffer {
    if (bytes <= this.#buffer.bytes.length) return this.#buffer;
    const buffer = bufferOf(new Uint8Array(2 ** Math.ceil(Math.log2(bytes))));
    if (buffer.bytes.length <= KEPT_BUFFER_BYTES) this.#buffer = buffer;
    return buffer;
  }
}
