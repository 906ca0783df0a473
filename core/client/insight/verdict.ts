/** What is wrong with a cluster, in order of weight, and what to do about it: a pure function of what is known of it. */

import { placementOf } from "../../ring/followers.ts";
import { type NodeRef, type Ring, sameRef } from "../../ring/ring.ts";
import type { ServerStatus } from "../api.ts";
import { countOf, nameOf, slotsName } from "./names.ts";
import { Picture } from "./picture.ts";
import { unservedSlots, unwritableSlots } from "./unserved.ts";

export type ClusterState = "healthy" | "degraded" | "unavailable";

/** Something that is not as it should be. */
export interface Problem {
  /** Whether keys are concerned now, or only if more goes wrong. */
  readonly state: "unavailable" | "degraded";
  readonly what: string;
  /** What a person can do. */
  readonly todo: string;
  /** The slots concerned, ascending; empty when it is not about slots. */
  readonly slots: readonly number[];
}

export interface Verdict {
  readonly state: ClusterState;
  /** Those that make keys unavailable come first. */
  readonly problems: readonly Problem[];
}

/** `ring` is undefined when nobody could tell it. */
export function verdictOf(ring: Ring | undefined, servers: readonly ServerStatus[]): Verdict {
  if (ring === undefined) return verdict([NO_RING]);
  const picture = new Picture(ring, servers);
  return verdict([
    ...wrongRing(picture),
    ...unservedSlots(picture),
    ...unwritableSlots(picture),
    ...deadNodes(picture),
    ...masters(picture),
    ...coordinator(picture),
    ...missingCopies(picture),
    ...mismatches(picture),
  ]);
}

const NO_RING: Problem = {
  state: "unavailable",
  what: "nobody answers who could tell the ring",
  todo: "start a master (kv master), or name one that runs with --addr",
  slots: [],
};

function verdict(problems: readonly Problem[]): Verdict {
  const grave = problems.some(({ state }) => state === "unavailable");
  return { state: grave ? "unavailable" : problems.length > 0 ? "degraded" : "healthy", problems };
}

function degraded(what: string, todo: string, slots: readonly number[] = []): Problem {
  return { state: "degraded", what, todo, slots };
}

function deadNodes(picture: Picture): Problem[] {
  const { ring } = picture;
  const dead = [...ring.nodes, ...ring.standbys].filter(({ ref }) => !picture.isAlive(ref));
  if (dead.length === 0) return [];
  const names = dead.map(({ ref }) => nameOf(ring, ref)).join(", ");
  const what = `${names} ${dead.length === 1 ? "does" : "do"} not answer`;
  return [degraded(what, "start what is dead again on its folder, or a standby in its place")];
}

/** Comes first: the ring that is told is one from the past, and so is what else is concluded from it. */
function wrongRing({ masters }: Picture): Problem[] {
  const halted = masters.find(({ reply }) => (reply?.halted ?? "") !== "");
  if (halted === undefined) return [];
  return [degraded(
    `master ${halted.address} writes no ring: ${halted.reply!.halted}`,
    "start all nodes that can be started, then kv admin accept-ring lets the newest ring that they know count",
  )];
}

function masters({ masters }: Picture): Problem[] {
  const silent = masters.filter(({ reply }) => reply === undefined).map(({ address }) => address);
  const names = silent.join(", ");
  if (!masters.some(({ reply }) => reply?.active)) {
    const what = silent.length === 0 ? "no active master is known" : `no active master answers (${names})`;
    return [degraded(
      `${what}: nothing takes the place of what dies, and nothing joins or leaves`,
      "start a master (kv master), or name the others with --addr",
    )];
  }
  if (silent.length * 2 < masters.length) return [];
  const answering = masters.length - silent.length;
  return [degraded(`${answering} of ${masters.length} masters answer, not ${names}`, "start them again")];
}

function coordinator({ servers }: Picture): Problem[] {
  const without = servers.filter(({ reply }) => reply !== undefined && reply.coordinator !== "connected");
  if (without.length === 0) return [];
  const names = without.map(({ address, reply }) => `${address} (${reply!.coordinator})`).join(", ");
  return [degraded(
    `without the coordinator: ${names}`,
    "look after ZooKeeper (scripts/zk status --dir FOLDER: zk-data, or kv-data/zookeeper after kv up --zookeeper); " +
      "until then nothing takes the place of what dies",
  )];
}

function mismatches({ ring, servers }: Picture): Problem[] {
  return servers.flatMap(({ reply }) => reply?.mismatches ?? []).map(({ slot, lsn, wrong, agoMs }) => {
    const names = wrong.map((ref) => nameOf(ring, ref)).join(", ");
    const found = `found ${Math.round(agoMs / 60_000)} minutes ago`;
    return degraded(
      `${
        slotsName([slot])
      }: copies were not the same at lsn ${lsn}; that of ${names} was given up (${found})`,
      "it is fetched again by itself; look after the memory and the disks of these machines, and keep the logs",
      [slot],
    );
  });
}

function missingCopies(picture: Picture): Problem[] {
  const { ring } = picture;
  if (ring.standbys.length === 0) {
    return [degraded(
      "no standby is left: the keys of a data node that dies wait for its return",
      "start one (kv standby --data FOLDER)",
    )];
  }
  const { standbys } = placementOf(ring);
  return ring.standbys.flatMap(({ ref }) => {
    const slots = [...ring.slots.keys()].filter((slot) => {
      const { owner, isr } = ring.slots[slot]!;
      const has = (refs: readonly NodeRef[]) => refs.some((each) => sameRef(each, ref));
      return owner !== undefined && has(standbys[slot]!) && !has(isr);
    });
    if (slots.length === 0 || !picture.isAlive(ref)) return [];
    const what = `${nameOf(ring, ref)} is not in sync with ${countOf(slots.length, "slot")} yet (${
      slotsName(slots)
    })`;
    return [degraded(what, "wait until it has caught up", slots)];
  });
}
