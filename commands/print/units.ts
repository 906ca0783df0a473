/** Numbers with their units, for people. */

/** In the largest unit that leaves a number of at least 1: `12 s`, `3 h`. */
export function duration(ms: number): string {
  const units = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]] as const;
  const [name, size] = units.find(([, size]) => ms >= size) ?? ["ms", 1];
  return `${Math.floor(ms / size)} ${name}`;
}

/** `512 bytes`, `3.1 MB`: in powers of a thousand. */
export function size(bytes: number): string {
  const units = [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["KB", 1e3]] as const;
  const found = units.find(([, size]) => bytes >= size);
  return found === undefined ? `${Math.round(bytes)} bytes` : `${(bytes / found[1]).toFixed(1)} ${found[0]}`;
}
