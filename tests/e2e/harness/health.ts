/** Whether a cluster is as it should be: asked of every server itself, because a ring may name the dead for a while. */

import type { StatusReply } from "../../../proto/gen/kv/v1/kv.ts";
import type { Client } from "../../../core/client/api.ts";
import type { Transport } from "../../../core/platform/ports.ts";
import { placementOf } from "../../../core/ring/followers.ts";
import { type NodeRef, type Ring, sameRef } from "../../../core/ring/ring.ts";
import { routing } from "../../../core/rpc/methods.ts";
import { eventually } from "./eventually.ts";
import type { Server } from "./server.ts";

/** A server that takes longer to tell its state is not well. */
const ASK_MS = 1000;
const LOOK_EVERY_MS = 100;

export interface Observer {
  readonly client: Client;
  readonly transport: Transport;
}

export async function statusOf({ transport }: Observer, server: Server): Promise<StatusReply | undefined> {
  const address = server.announced?.address;
  if (address === undefined) return undefined;
  return await transport.call(address, routing.status, {}, ASK_MS).catch(() => undefined);
}

/** The masters that say they are active; for a moment there may be none, or more than one. */
export async function activeMasters(observer: Observer, masters: readonly Server[]): Promise<Server[]> {
  const replies = await Promise.all(masters.map((master) => statusOf(observer, master)));
  return masters.filter((_, i) => replies[i]?.active);
}

/**
 * What keeps the nodes from being in sync: undefined when each slot is served, by the owner that the rule wants, and held
 * by `copies` processes that live, the owner included.
 */
export async function lackOfSync(
  observer: Observer,
  nodes: readonly Server[],
  copies: number,
): Promise<string | undefined> {
  const [ring, ...replies] = await Promise.all([
    observer.client.ring(),
    ...nodes.map((node) => statusOf(observer, node)),
  ]);
  const silent = nodes.find((_, i) => replies[i] === undefined);
  if (silent !== undefined) return `${silent.name} does not tell its state`;
  return lackIn(ring, replies.filter((reply) => reply !== undefined), copies) ?? slotToMove(ring);
}

/** Waits until there is no {@link lackOfSync}. */
export async function inSync(
  observer: Observer,
  nodes: readonly Server[],
  copies: number,
  patienceMs?: number,
): Promise<void> {
  const look = async () => {
    const lack = await lackOfSync(observer, nodes, copies);
    if (lack !== undefined) throw new Error(lack);
    return true;
  };
  await eventually(`${copies} copies of each slot in sync`, look, LOOK_EVERY_MS, patienceMs);
}

/** As {@link lackOfSync}, by the answers of the nodes that live. */
export function lackIn(
  ring: Pick<Ring, "version" | "slots">,
  living: readonly StatusReply[],
  copies: number,
): string | undefined {
  const newest = Math.max(...living.map(({ ringVersion }) => ringVersion));
  if (newest > ring.version) return `ring ${ring.version} is known, and there is ${newest}`;
  const byRef = new Map(living.map((reply) => [refKey(reply.node), reply]));
  for (const [slot, { owner, isr }] of ring.slots.entries()) {
    const state = byRef.get(refKey(owner))?.slots.find((each) => each.slot === slot);
    if (!state?.serving) return `slot ${slot} is not served: ${state?.reason ?? "its owner does not live"}`;
    const held = isr.filter((member) => byRef.has(refKey(member))).length;
    if (held < copies) return `slot ${slot} is held by ${held} of ${copies} in sync`;
  }
  return undefined;
}

/** The processes that live, as the ring lists them: with a seat, or as standbys. Others are on their way in or out. */
export function rolesIn(
  { nodes, standbys }: Pick<Ring, "nodes" | "standbys">,
  living: readonly StatusReply[],
): { readonly data: StatusReply[]; readonly standbys: StatusReply[] } {
  const seats = new Set(nodes.filter(({ leaving }) => !leaving).map(({ ref }) => refKey(ref)));
  const places = new Set(standbys.map(({ ref }) => refKey(ref)));
  return {
    data: living.filter(({ node }) => seats.has(refKey(node))),
    standbys: living.filter(({ node }) => places.has(refKey(node))),
  };
}

/** A slot whose owner is not the one that the rule wants: it is to be handed over yet. */
export function slotToMove(ring: Ring): string | undefined {
  const { wanted } = placementOf(ring);
  const slot = ring.slots.findIndex(({ owner }, slot) => !sameRef(owner, wanted[slot]?.ref));
  return slot < 0 ? undefined : `slot ${slot} is to be handed over yet`;
}

export function refKey(ref: NodeRef | undefined): string {
  return ref === undefined ? "nobody" : `${ref.id}/${ref.incarnation}`;
}
