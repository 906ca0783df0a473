import { type Disk, DiskError, type DiskFault, type DiskFile } from "../../core/platform/ports.ts";

/** A disk of one folder in memory, that fails on demand: enough for what keeps one small file. */
export class MemoryDisk implements Disk {
  readonly files = new Map<string, Uint8Array>();
  /** What the next calls of this name throw. */
  readonly failing = new Map<"write" | "sync" | "rename", DiskFault>();
  readonly #locks = new Set<string>();

  open(path: string, create: "never" | "new" | "if-missing"): DiskFile {
    if (create === "never" && !this.files.has(path)) throw new DiskError("not-found", path, "no such file");
    if (!this.files.has(path)) this.files.set(path, new Uint8Array());
    const content = () => this.files.get(path)!;
    return {
      path,
      sizeBytes: () => content().length,
      read: (into, offset) => {
        const part = content().subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      write: (bytes, offset) => {
        this.#failIf("write", path);
        const grown = new Uint8Array(Math.max(content().length, offset + bytes.length));
        grown.set(content());
        grown.set(bytes, offset);
        this.files.set(path, grown);
      },
      truncate: (sizeBytes) => void this.files.set(path, content().slice(0, sizeBytes)),
      // deno-lint-ignore require-await -- the interface's promise
      sync: async () => this.#failIf("sync", path),
      syncNow: () => this.#failIf("sync", path),
      close: () => {},
    };
  }

  list(path: string): string[] {
    return [...this.files.keys()].filter((name) => name.startsWith(`${path}/`)).sort();
  }

  exists(path: string): boolean {
    return this.files.has(path);
  }

  makeFolder(): void {}

  rename(from: string, to: string): void {
    this.#failIf("rename", from);
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }

  remove(path: string): void {
    this.files.delete(path);
  }

  syncFolder(): void {}

  lock(path: string): () => void {
    if (this.#locks.has(path)) throw new DiskError("locked", path, "another process holds the lock");
    this.#locks.add(path);
    return () => void this.#locks.delete(path);
  }

  freeBytes(): number {
    return Infinity;
  }

  #failIf(call: "write" | "sync" | "rename", path: string): void {
    const fault = this.failing.get(call);
    if (fault !== undefined) throw new DiskError(fault, path, `${call} failed`);
  }
}
