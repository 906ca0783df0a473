/** The folder of `kv up`, which one cluster uses at a time. */

import { systemDisk } from "../../core/platform/disk.ts";
import { KvError } from "../../core/platform/errors.ts";
import { type Cancel, DiskError } from "../../core/platform/ports.ts";

/**
 * Makes the folder when it is missing, and holds it until it is released. What is inside has locks of its own,
 * but with them a second `kv up` would first stumble over the ports of the first one, and be told to take others.
 *
 * @throws KvError `refused`
 */
export function holdFolder(folder: string): Cancel {
  systemDisk.makeFolder(folder);
  try {
    return systemDisk.lock(`${folder}/lock`);
  } catch (error) {
    if (!(error instanceof DiskError && error.fault === "locked")) throw error;
    throw new KvError(
      "refused",
      `another kv up runs on ${folder}: talk to it with kv shell, stop it, or give another folder with --dir`,
    );
  }
}
