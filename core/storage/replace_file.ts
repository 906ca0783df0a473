import { type Disk, DiskError, type DiskFile } from "../platform/ports.ts";

/** Replaces the file as a whole: after a crash at any point it holds the old content or the new one. */
export async function replaceFile(
  disk: Disk,
  folder: string,
  name: string,
  content: Uint8Array,
): Promise<void> {
  const file = writeAside(disk, folder, name, content);
  try {
    await file.sync();
  } finally {
    file.close();
  }
  putInPlace(disk, folder, name);
}

/** The same, blocking: for small files that are hardly ever written. */
export function replaceFileNow(disk: Disk, folder: string, name: string, content: Uint8Array): void {
  const file = writeAside(disk, folder, name, content);
  try {
    file.syncNow();
  } finally {
    file.close();
  }
  putInPlace(disk, folder, name);
}

function writeAside(disk: Disk, folder: string, name: string, content: Uint8Array): DiskFile {
  const file = disk.open(`${folder}/${name}.new`, "if-missing");
  try {
    file.truncate(0);
    file.write(content, 0);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

function putInPlace(disk: Disk, folder: string, name: string): void {
  disk.rename(`${folder}/${name}.new`, `${folder}/${name}`);
  disk.syncFolder(folder);
}

/** Content of the file; undefined when there is none. */
export function readWhole(disk: Disk, path: string): Uint8Array | undefined {
  let file;
  try {
    file = disk.open(path, "never");
  } catch (error) {
    if (error instanceof DiskError && error.fault === "not-found") return undefined;
    throw error;
  }
  try {
    const bytes = new Uint8Array(file.sizeBytes());
    return bytes.subarray(0, file.read(bytes, 0));
  } finally {
    file.close();
  }
}
