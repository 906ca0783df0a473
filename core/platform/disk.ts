import { statfsSync } from "node:fs";
import { type Cancel, type Disk, DiskError, type DiskFault, type DiskFile } from "./ports.ts";

/** The file system of the machine. */
export const systemDisk: Disk = {
  open(path, create): DiskFile {
    return attempt(path, `cannot open the file`, () => {
      const options = {
        read: true,
        write: true,
        create: create === "if-missing",
        createNew: create === "new",
      };
      return new SystemFile(path, Deno.openSync(path, options));
    });
  },
  list: (path) =>
    attempt(path, "cannot list the folder", () => [...Deno.readDirSync(path)].map((e) => e.name).sort()),
  exists(path): boolean {
    try {
      Deno.lstatSync(path);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw asDiskError(path, "cannot look at", error);
    }
  },
  makeFolder: (path) =>
    attempt(path, "cannot make the folder", () => Deno.mkdirSync(path, { recursive: true })),
  rename: (from, to) => attempt(to, `cannot rename ${from}`, () => Deno.renameSync(from, to)),
  remove: (path) => attempt(path, "cannot remove", () => Deno.removeSync(path)),
  syncFolder: (path) =>
    attempt(path, "cannot sync the folder", () => {
      const folder = Deno.openSync(path);
      try {
        folder.syncSync();
      } finally {
        folder.close();
      }
    }),
  lock(path): Cancel {
    const file = attempt(
      path,
      "cannot open the lock",
      () => Deno.openSync(path, { write: true, create: true }),
    );
    if (!attempt(path, "cannot lock", () => file.tryLockSync(true))) {
      file.close();
      throw new DiskError("locked", path, "another process holds the lock");
    }
    let held = true;
    return () => {
      if (held) file.close();
      held = false;
    };
  },
  freeBytes(path): number {
    try {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    } catch {
      return Infinity;
    }
  },
};

/** Positional calls over Deno's file, which has a position: seeks only where the file is not there already. */
class SystemFile implements DiskFile {
  #at = 0;

  constructor(readonly path: string, readonly file: Deno.FsFile) {}

  sizeBytes(): number {
    return attempt(this.path, "cannot look at the file", () => this.file.statSync().size);
  }

  read(into: Uint8Array, offset: number): number {
    return attempt(this.path, "cannot read", () => {
      this.#seek(offset);
      let done = 0;
      while (done < into.length) {
        const count = this.file.readSync(into.subarray(done));
        if (count === null) break;
        done += count;
        this.#at += count;
      }
      return done;
    });
  }

  write(bytes: Uint8Array, offset: number): void {
    attempt(this.path, "cannot write", () => {
      this.#seek(offset);
      for (let done = 0; done < bytes.length;) {
        const count = this.file.writeSync(bytes.subarray(done));
        done += count;
        this.#at += count;
      }
    });
  }

  truncate(sizeBytes: number): void {
    attempt(this.path, "cannot truncate", () => this.file.truncateSync(sizeBytes));
  }

  async sync(): Promise<void> {
    try {
      await this.file.syncData();
    } catch (error) {
      throw asSyncError(this.path, error);
    }
  }

  syncNow(): void {
    try {
      this.file.syncDataSync();
    } catch (error) {
      throw asSyncError(this.path, error);
    }
  }

  close(): void {
    this.file.close();
  }

  #seek(offset: number): void {
    if (this.#at === offset) return;
    this.#at = NaN;
    this.#at = this.file.seekSync(offset, Deno.SeekMode.Start);
  }
}

function attempt<T>(path: string, what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asDiskError(path, what, error);
  }
}

/** A failed sync is `io` whatever the reason: nobody knows what was written. */
function asSyncError(path: string, cause: unknown): DiskError {
  return new DiskError("io", path, `fdatasync failed (${(cause as Error).message})`, { cause });
}

function asDiskError(path: string, what: string, cause: unknown): DiskError {
  return new DiskError(faultOf(cause), path, `${what} (${(cause as Error).message})`, { cause });
}

function faultOf(error: unknown): DiskFault {
  if (error instanceof Deno.errors.NotFound) return "not-found";
  if (error instanceof Deno.errors.AlreadyExists) return "exists";
  const code = (error as { code?: string }).code;
  return code === "ENOSPC" || code === "EDQUOT" || /os error (28|122)\b/.test((error as Error).message)
    ? "full"
    : "io";
}
