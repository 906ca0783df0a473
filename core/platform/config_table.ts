/** Every setting of kv, described once: checks, flags, help, `cfg.yaml` and the type of the configuration come from here. */

import {
  isPrime,
  KEY_BYTES_MAX,
  LEVELS_MAX,
  MSN_MAX,
  MSN_MIN,
  primesNear,
  PROMISE_MS_MIN,
  VALUE_BYTES_MAX,
} from "./limits.ts";
import { choice, integer, list, type Setting, text } from "./setting.ts";

const SERVERS = ["master", "data", "standby", "up"];
const MASTERS = ["master", "up"];
const NODES = ["data", "standby", "up"];
const CLIENTS = ["shell", "bench", "up", "get", "put", "del", "dump", "status", "explain", "plan", "admin"];

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const HOUR_MS = 3_600_000;

/** Header of a log record beyond its key and value, rounded up. */
export const RECORD_OVERHEAD_BYTES = 4 * KIB;

const coordinator = { section: "Coordinator", commands: SERVERS };
const cluster = {
  section: "Cluster: kept with it when it is created, and can never change",
  commands: SERVERS,
};
const storage = { section: "Data nodes", commands: NODES };
const client = { section: "Clients", commands: CLIENTS };

export const SETTINGS = {
  zk: list({
    ...coordinator,
    about: "The ZooKeeper servers. Name all of them: kv turns to another when one fails.",
  }, {
    default: ["127.0.0.1:2181", "127.0.0.1:2281", "127.0.0.1:2381"],
    accepts: isHostPort,
    form: "HOST:PORT, the port from 1 to 65535",
  }),
  root: text({ ...coordinator, about: "Where this cluster stands in ZooKeeper; each cluster has its own." }, {
    default: "/kv",
    pattern: /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/,
    form: "path such as /kv: names of letters, digits, dots, dashes and underscores, each after a slash",
  }),
  sessionTimeoutMs: integer({
    ...coordinator,
    about:
      "After this long without a sign of life ZooKeeper takes a process for dead. ZooKeeper itself keeps it " +
      "within 2 to 20 times its tickTime.",
  }, { default: 3000, min: 500, max: 60_000, unit: "ms" }),
  callTimeoutMs: integer({
    ...coordinator,
    about: "A call to ZooKeeper that takes longer has failed, and another server is tried.",
  }, { default: 1000, min: 50, max: 30_000, unit: "ms" }),
  registerLockMs: integer({
    ...coordinator,
    commands: MASTERS,
    about: "The active master breaks a lock `register` that was held for longer.",
  }, { default: 10_000, min: 1000, max: 600_000, unit: "ms" }),

  promiseMs: integer({
    ...cluster,
    commands: MASTERS,
    about:
      "For how long a copy promises its owner not to serve in its place. A failure shows for at least that long.",
  }, { default: 600, min: PROMISE_MS_MIN, max: 60_000, unit: "ms" }),
  msn: integer({
    ...cluster,
    about: "Maximum server number: the seats on the ring, so also the most data nodes. A prime.",
  }, {
    default: 137,
    min: MSN_MIN,
    max: MSN_MAX,
    rule: (msn) =>
      isPrime(msn) ? undefined : `is not a prime: the nearest are ${primesNear(msn).join(" and ")}`,
  }),
  levels: integer({
    ...cluster,
    about:
      "Levels of folders in a data directory: 1 has 3 files, 2 have 3 x 5, 3 have 3 x 5 x 7, 4 have 3 x 5 x 7 x 11.",
  }, { default: 2, min: 1, max: LEVELS_MAX }),

  replicas: integer({
    section: "Copies",
    commands: MASTERS,
    about: "Standbys that copy each slot; 0: all of them. The active master's value counts.",
  }, { default: 0, min: 0, max: 100 }),
  minInSync: integer({
    section: "Copies",
    commands: NODES,
    about: "Writes are refused while fewer copies than this are in sync, the owner's included.",
  }, { default: 1, min: 1, max: 100 }),
  lagMsMax: integer({
    section: "Copies",
    commands: NODES,
    about:
      "A copy that lacks what was written so long ago leaves the set in sync: writes wait for it no longer. " +
      "One that takes nothing at all leaves it after a second.",
  }, { default: 5000, min: 1000, max: 60_000, unit: "ms" }),
  transferBytesPerSecond: integer({
    section: "Copies",
    commands: NODES,
    about: "How fast a node sends whole slots to each node that catches up.",
  }, { default: 64 * MIB, min: 64 * KIB, max: 1024 * GIB, unit: "bytes" }),
  compareEveryMs: integer({
    section: "Copies",
    commands: NODES,
    about:
      "How often a node compares one of its slots, in turn, with the copies of it; 0: never. The copies of those " +
      "that are not like the others are fetched again.",
  }, { default: 1000, min: 0, max: HOUR_MS, unit: "ms" }),

  keyBytesMax: integer({ ...storage, about: "Longer keys are refused." }, {
    default: KEY_BYTES_MAX,
    min: 1,
    max: KEY_BYTES_MAX,
    unit: "bytes",
  }),
  valueBytesMax: integer({ ...storage, about: "Longer values are refused." }, {
    default: MIB,
    min: 1,
    max: VALUE_BYTES_MAX,
    unit: "bytes",
  }),
  pendingBytesMax: integer({
    ...storage,
    about:
      "Writes are refused while this much waits to be stored, here and by the copies in sync: a disk that hangs must " +
      "not fill the memory.",
  }, { default: 64 * MIB, min: 64 * KIB, max: 1024 * GIB, unit: "bytes" }),
  segmentBytes: integer({
    ...storage,
    about: "The write-ahead log begins a new file when one has grown to this size.",
  }, {
    default: 32 * MIB,
    min: 64 * KIB,
    max: GIB,
    unit: "bytes",
  }),
  checkpointBytes: integer({
    ...storage,
    about: "A checkpoint is made after this much log; it bounds the log that a start has to read.",
  }, { default: 64 * MIB, min: 64 * KIB, max: 64 * GIB, unit: "bytes" }),
  cacheBytesMax: integer({ ...storage, about: "Memory for parts of the files that were read." }, {
    default: 32 * MIB,
    min: 0,
    max: 1024 * GIB,
    unit: "bytes",
  }),
  reserveBytes: integer({
    ...storage,
    about:
      "With less room than this on its disk a node refuses writes and goes on serving reads, so that there is " +
      "always room for a checkpoint.",
  }, { default: 96 * MIB, min: 0, max: 1024 * GIB, unit: "bytes" }),
  compactBytesMin: integer({
    ...storage,
    about:
      "A data file is rewritten when more of it is garbage than not, but not before it holds this much garbage.",
  }, { default: 4 * MIB, min: 4 * KIB, max: 64 * GIB, unit: "bytes" }),
  scrubBytesPerSecond: integer({
    ...storage,
    about:
      "How fast a node reads its data files in the background in search of bytes that have changed on the disk; " +
      "0: not at all.",
  }, { default: MIB, min: 0, max: 1024 * GIB, unit: "bytes" }),
  clientsMax: integer({
    ...storage,
    about:
      "Clients per slot whose last results are kept, so that a write sent twice takes effect once; of each client " +
      "no more than the latest 4096 to 8192 of a slot.",
  }, { default: 1000, min: 1, max: 1_000_000 }),

  pingPeriodMs: integer({
    ...client,
    about: "How often a client pings its master; when that fails it turns to the next address.",
  }, { default: 300, min: 10, max: 60_000, unit: "ms" }),
  timeoutMs: integer({
    ...client,
    about: "How long an operation may take, retries included, before its client gives up.",
  }, { default: 5000, min: 100, max: HOUR_MS, unit: "ms" }),

  logLevel: choice({
    section: "Messages on standard error",
    commands: [...new Set([...SERVERS, ...CLIENTS])],
    about: "The least important messages that are written.",
  }, { default: "info", choices: ["debug", "info", "warn", "error"] }),
} as const;

function isHostPort(entry: string): boolean {
  const port = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(entry)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

export type SettingName = keyof typeof SETTINGS;

type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** A value for every setting. Holds to all bounds and all of {@link RELATIONS}. */
export type Config = { readonly [N in SettingName]: ValueOf<(typeof SETTINGS)[N]> };

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** `larger` must be at least `least(config)`, which `formula` writes out over the settings `smaller`. */
export interface Relation {
  readonly larger: SettingName;
  readonly smaller: readonly SettingName[];
  readonly formula: string;
  readonly least: (config: Config) => number;
  readonly why: string;
}

export const RELATIONS: readonly Relation[] = [
  {
    larger: "sessionTimeoutMs",
    smaller: ["callTimeoutMs"],
    formula: "2 x callTimeoutMs",
    least: (config) => 2 * config.callTimeoutMs,
    why: "so that one silent server does not cost the session",
  },
  {
    larger: "registerLockMs",
    smaller: ["sessionTimeoutMs"],
    formula: "2 x sessionTimeoutMs",
    least: (config) => 2 * config.sessionTimeoutMs,
    why: "because a dead holder's lock goes by itself with its session",
  },
  {
    larger: "timeoutMs",
    smaller: ["pingPeriodMs"],
    formula: "2 x pingPeriodMs",
    least: (config) => 2 * config.pingPeriodMs,
    why: "so that a client can change over to another master within one operation",
  },
  {
    larger: "segmentBytes",
    smaller: ["keyBytesMax", "valueBytesMax"],
    formula: `keyBytesMax + valueBytesMax + ${RECORD_OVERHEAD_BYTES}`,
    least: (config) => config.keyBytesMax + config.valueBytesMax + RECORD_OVERHEAD_BYTES,
    why: "because a record must fit into one file of the log",
  },
  {
    larger: "reserveBytes",
    smaller: ["checkpointBytes"],
    formula: "checkpointBytes",
    least: (config) => config.checkpointBytes,
    why: "because a checkpoint must find room",
  },
  {
    larger: "checkpointBytes",
    smaller: ["segmentBytes"],
    formula: "segmentBytes",
    least: (config) => config.segmentBytes,
    why: "because a checkpoint lets go of whole files of the log",
  },
];
