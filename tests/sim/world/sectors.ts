/** Picks one of `count` possibilities, 0..count-1: 0 is the oldest, what is on stable storage, the last the newest. */
export type Choose = (count: number) => number;

/** What a sector may hold after a power loss. */
interface Version {
  /** Number of the change that made it, from 1; 0: it is on stable storage. */
  readonly change: number;
  readonly bytes: Uint8Array;
  /** Made by a cut, which left so many of its bytes. */
  readonly kept: number | undefined;
}

/**
 * A file whose last changes are not synced. Disks write sectors in any order and each as a whole; the size of a file is
 * written apart from them. So each sector may be as any of the changes left it, whatever the others are, and the size
 * too; but once a cut shows in the size, nothing from before it comes back behind it.
 */
export class Sectors {
  #change = 0;
  #size: number;
  /** Of those that were changed, the oldest version first. */
  readonly #sectors = new Map<number, Version[]>();
  /** The sizes that the file has had, the oldest first. */
  readonly #sizes: { readonly change: number; readonly size: number }[];

  constructor(readonly stable: Uint8Array, readonly sectorBytes: number) {
    this.#size = stable.length;
    this.#sizes = [{ change: 0, size: stable.length }];
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#change++;
    const { sectorBytes } = this;
    const end = offset + bytes.length;
    for (let sector = Math.floor(offset / sectorBytes); sector * sectorBytes < end; sector++) {
      const start = sector * sectorBytes;
      const changed = this.#last(sector).slice();
      const from = Math.max(0, start - offset);
      changed.set(bytes.subarray(from, start + sectorBytes - offset), Math.max(0, offset - start));
      this.#push(sector, changed, undefined);
    }
    this.#resize(Math.max(this.#size, end));
  }

  truncate(size: number): void {
    this.#change++;
    const { sectorBytes } = this;
    for (let sector = Math.floor(size / sectorBytes); sector * sectorBytes < this.#size; sector++) {
      const kept = Math.max(0, size - sector * sectorBytes);
      const changed = new Uint8Array(sectorBytes);
      changed.set(this.#last(sector).subarray(0, kept));
      this.#push(sector, changed, kept);
    }
    this.#resize(size);
  }

  /** One of the contents that the file may have. */
  pick(choose: Choose): Uint8Array {
    const { change, size } = this.#pickSize(choose);
    const content = new Uint8Array(size);
    content.set(this.stable.subarray(0, size));
    for (const [sector, versions] of [...this.#sectors].sort((a, b) => a[0] - b[0])) {
      const start = sector * this.sectorBytes;
      if (start >= size) continue;
      const possible = possibleOf(versions, change);
      const picked = possible[possible.length > 1 ? choose(possible.length) : 0]!;
      content.set(picked.subarray(0, size - start), start);
    }
    return content;
  }

  /** A file that grows may be caught at the border of any sector that is added. */
  #pickSize(choose: Choose): { readonly change: number; readonly size: number } {
    const at = this.#sizes.length > 1 ? choose(this.#sizes.length) : 0;
    const { change, size } = this.#sizes[at]!;
    const before = at === 0 ? size : this.#sizes[at - 1]!.size;
    const borders = Math.ceil(size / this.sectorBytes) - Math.floor(before / this.sectorBytes) - 1;
    if (borders <= 0) return { change, size };
    const grown = choose(borders + 1) + 1;
    const border = (Math.floor(before / this.sectorBytes) + grown) * this.sectorBytes;
    return { change, size: Math.min(border, size) };
  }

  #resize(size: number): void {
    if (size !== this.#size) this.#sizes.push({ change: this.#change, size });
    this.#size = size;
  }

  #push(sector: number, bytes: Uint8Array, kept: number | undefined): void {
    const known = this.#sectors.get(sector);
    const version = { change: this.#change, bytes, kept };
    if (known === undefined) {
      this.#sectors.set(sector, [{ change: 0, bytes: this.#ofStable(sector), kept: undefined }, version]);
    } else known.push(version);
  }

  #last(sector: number): Uint8Array {
    return this.#sectors.get(sector)?.at(-1)?.bytes ?? this.#ofStable(sector);
  }

  #ofStable(sector: number): Uint8Array {
    const bytes = new Uint8Array(this.sectorBytes);
    bytes.set(this.stable.subarray(sector * this.sectorBytes, (sector + 1) * this.sectorBytes));
    return bytes;
  }
}

/** What a sector may hold in a file whose size is that of `change`: different contents, the oldest first. */
function possibleOf(versions: readonly Version[], change: number): Uint8Array[] {
  const possible: Uint8Array[] = [];
  for (const [i, { bytes, kept, change: made }] of versions.entries()) {
    // Without the size that it made, a cut leaves what it cut off as a whole.
    if (kept === 0 && made > change) continue;
    const content = bytes.slice();
    for (const later of versions.slice(i + 1)) {
      if (later.change <= change) content.fill(0, later.kept ?? Infinity);
    }
    if (!possible.some((each) => equal(each, content))) possible.push(content);
  }
  return possible;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
