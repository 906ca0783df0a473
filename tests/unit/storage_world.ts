import { assert } from "@std/assert";
import type { Cancel, Clock, Random } from "../../core/platform/ports.ts";
import { fnv1a32Binary } from "../../core/ring/hash.ts";
import { Engine, type EngineLimits, type LogRecord, RecordKind } from "../../core/storage/engine.ts";
import { scanSegment } from "../../core/storage/log_scan.ts";
import type { SimDisk } from "../sim/world/disk.ts";

/** Sleeping takes no time but moves the clock; timers fire when the test says so. */
export class TestClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly fire: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** How far the wall clock is ahead. */
  wallAheadMs = 0;

  wallMs(): number {
    return this.#nowMs + this.wallAheadMs;
  }

  after(delayMs: number, fire: () => void): Cancel {
    const timer = { atMs: this.#nowMs + delayMs, fire };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((each) => each !== timer));
  }

  every(): Cancel {
    throw new Error("the storage has no periodic work");
  }

  async sleep(delayMs: number): Promise<void> {
    this.#nowMs += delayMs;
    await Promise.resolve();
  }

  nextTurn(): Promise<void> {
    return Promise.resolve();
  }

  /** Moves the clock on and fires what is due. */
  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { fire } of due) fire();
  }
}

/** Mulberry32 (Tommy Ettinger, 2017): 32 bits of state, enough for tests. */
export function seeded(seed: number): Random {
  const number = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number) => Math.floor(number() * bound);
  const bytes = (length: number) => Uint8Array.from({ length }, () => below(256));
  const uuid = () => Array.from(bytes(16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { number, below, bytes, uuid };
}

export const SETTINGS = { msn: 13, hash: "fnv1a32", levels: 1 } as const;
export const FOLDER = "node";

/** Small, so that short runs roll segments, and only what the test asks for makes a checkpoint. */
const LIMITS: Partial<EngineLimits> = {
  segmentBytes: 500,
  checkpointBytes: 1 << 30,
  reserveBytes: 0,
  compactBytesMin: 1,
  compactStepBytes: 1,
  cacheBytesMax: 16 << 10,
  scrubBytesPerSecond: 0,
};

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** Opens the engine on the disk; a line of its log goes to `lines`. */
export function openOn(
  disk: SimDisk,
  limits: Partial<EngineLimits> = {},
  lines: LogLine[] = [],
): Promise<Engine> {
  return Engine.open({
    clock: disk.clock,
    random: disk.random,
    disk,
    log: (level, message, fields = {}) => lines.push({ level, message, fields }),
    folder: FOLDER,
    clusterId: "cluster",
    settings: SETTINGS,
    limits: { ...LIMITS, ...limits },
  });
}

/** Where the log ends in the segment: behind it are zeros, see `LogWriter`. */
export function logEnd(disk: SimDisk, path: string): number {
  const { salt } = JSON.parse(textOf(disk.content(`${FOLDER}/identity.json`)));
  const { start, end } = scanSegment(disk.content(path), path, 0, salt);
  return end - start;
}

export const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
export const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);

/** The engine's next record for the slot. */
export function recordFor(engine: Engine, slot: number, fields: Partial<LogRecord>): LogRecord {
  const { lastLsn, lastEpoch } = engine.slot(slot);
  const key = fields.key ?? "";
  const none = {
    kind: RecordKind.Put,
    value: new Uint8Array(0),
    clientId: "",
    sequence: 0,
    lowestUnfinished: 0,
  };
  const place = { slot, epoch: Math.max(1, lastEpoch), lsn: lastLsn + 1, key, hash: fnv1a32Binary(key) };
  return { ...none, ...place, outcome: 0, ...fields };
}

export const put = (engine: Engine, slot: number, key: string, value: string) =>
  engine.append(recordFor(engine, slot, { key, value: bytesOf(value), outcome: 1 }));

export const remove = (engine: Engine, slot: number, key: string) =>
  engine.append(recordFor(engine, slot, { kind: RecordKind.Delete, key, outcome: 3 }));

/** Resolves after the next group is durable. */
export function nextGroup(engine: Engine): Promise<void> {
  return new Promise((resolve) => {
    const cancel = engine.onDurable(() => {
      cancel();
      resolve();
    });
  });
}

/** Commits all that is durable. */
export function commitAll(engine: Engine): void {
  for (let slot = 0; slot < SETTINGS.msn; slot++) engine.commit(slot, engine.slot(slot).durableLsn);
}

/** Appends by `write`, waits until it is durable, and commits it. */
export async function written(engine: Engine, write: () => void): Promise<void> {
  const durable = nextGroup(engine);
  write();
  await durable;
  commitAll(engine);
}

/** All that can be read from the engine, as text that can be compared. */
export function contentOf(engine: Engine): string {
  const slots: unknown[] = [];
  for (let slot = 0; slot < SETTINGS.msn; slot++) {
    const { lastLsn, lastEpoch, damage, incomplete, committedLsn } = engine.slot(slot);
    assert(damage === undefined, `slot ${slot} is damaged: ${JSON.stringify(damage)}`);
    if (incomplete) slots.push([slot, committedLsn, "incomplete"]);
    if (incomplete || lastLsn === 0) continue;
    const entries = [...engine.entries(slot)].map(({ key, value, version }) => [key, version, textOf(value)]);
    const sessions = engine.sessions(slot);
    slots.push([slot, lastLsn, lastEpoch, entries.sort(), sessions.forgotten, [...sessions.saved()]]);
  }
  return JSON.stringify(slots);
}
