import { KvError } from "../platform/errors.ts";
import { isPrime, LEVELS_MAX, MSN_MAX, MSN_MIN, primesNear } from "../platform/limits.ts";
import type { ClusterSettings } from "./ring.ts";

/** Throws `invalid` unless a cluster can have these settings. */
export function checkSettings(settings: ClusterSettings): void {
  const { msn, hash, levels } = settings;
  if (!isPrime(msn) || msn < MSN_MIN || msn > MSN_MAX) {
    const near = Number.isFinite(msn) ? `; the nearest are ${primesNear(msn).join(" and ")}` : "";
    throw new KvError("invalid", `msn ${msn} is not a prime from ${MSN_MIN} to ${MSN_MAX}${near}`);
  }
  if (hash !== "fnv1a32") throw new KvError("invalid", `hash "${hash}" is not known; only "fnv1a32" is`);
  if (!Number.isSafeInteger(levels) || levels < 1 || levels > LEVELS_MAX) {
    throw new KvError("invalid", `levels ${levels} is not an integer from 1 to ${LEVELS_MAX}`);
  }
}

/**
 * Compares the settings a process was started with to those the cluster was created with, which can never change.
 * Throws `refused`, naming both values and the way out.
 */
export function checkSameSettings(configured: ClusterSettings, cluster: ClusterSettings): void {
  for (const name of ["msn", "hash", "levels"] as const) {
    if (configured[name] === cluster[name]) continue;
    throw new KvError(
      "refused",
      `${name} is ${configured[name]} in the configuration, but the cluster was created with ${
        cluster[name]
      }, ` +
        `which can never change: set ${name} to ${cluster[name]}, or use another root for a new cluster`,
    );
  }
}
