import type { ForceOwnerRequest } from "../../proto/gen/kv/v1/admin.ts";
import { KvError, messageOf } from "../platform/errors.ts";
import type { Clock, Transport } from "../platform/ports.ts";
import { addressOf } from "../ring/followers.ts";
import type { NodeRef } from "../ring/ring.ts";
import { admin, cluster } from "../rpc/methods.ts";
import { forced, forceRefusal, toAskForForce } from "./decide/force.ts";
import type { Answers, RingChange, View } from "./decide/view.ts";
import type { Asked } from "./reconcile.ts";

const CALL_TIMEOUT_MS = 1000;

export interface ForcingParts {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly ask: (asked: readonly Asked[]) => Promise<Answers>;
}

/**
 * The change by which the slots get their owner by force; rejects with `refused` and the reason. The owners before have
 * confirmed by then that they answer nothing any more, or the operator has vouched for it.
 */
export async function force(
  view: View,
  request: ForceOwnerRequest,
  { clock, transport, ask }: ForcingParts,
): Promise<RingChange> {
  const answers = await ask(toAskForForce(view, request).map((ref) => ({ ref })));
  const refusal = forceRefusal(view, answers, request);
  if (refusal !== undefined) throw new KvError("refused", refusal);
  const owners = ownersBefore(view, request).filter(({ id }) => id !== request.node!.id);
  if (!request.acceptEmpty) await checkNotEmpty(view, request, transport);
  // What was given up cannot be taken back: nobody is asked for it as long as it may be in vain.
  if (!request.ownerIsDead) await stopOwners(view, { ...request, slots: [] }, owners, transport);
  await stopOwners(view, request, owners, transport);
  return forced(view, request, clock.wallMs());
}

/** Rejects at the first one that does not confirm it, unless the operator has vouched for that. */
async function stopOwners(
  view: View,
  request: ForceOwnerRequest,
  owners: readonly NodeRef[],
  transport: Transport,
): Promise<void> {
  for (const owner of owners) {
    const trouble = await giveUp(view, owner, request, transport);
    if (trouble === undefined || request.ownerIsDead) continue;
    throw new KvError(
      "refused",
      `the owner, node ${addressOf(view.ring, owner) ?? "(not listed now)"} (id ${owner.id}), has not ` +
        `confirmed that it has stopped: ${trouble}. If it goes on somewhere, two nodes answer for the same keys. ` +
        "Say --owner-is-dead if you know that no process of it runs",
    );
  }
}

function ownersBefore({ ring }: View, { slots }: ForceOwnerRequest): NodeRef[] {
  return [
    ...new Map(slots.map(({ slot }) => ring.slots[slot]!.owner!).map((owner) => [owner.id, owner])).values(),
  ];
}

/** Has the owner stop answering for its slots; returns why that is not known to have happened. */
async function giveUp(
  { ring }: View,
  owner: NodeRef,
  { slots }: ForceOwnerRequest,
  transport: Transport,
): Promise<string | undefined> {
  const address = addressOf(ring, owner);
  if (address === undefined) return "it is not listed, so that its address is not known";
  const own = slots.filter(({ slot }) => ring.slots[slot]!.owner!.id === owner.id);
  const request = {
    node: owner,
    slots: own.map(({ slot }) => slot),
    epochs: own.map(({ epoch }) => epoch + 1),
  };
  try {
    await transport.call(address, cluster.giveUp, request, CALL_TIMEOUT_MS);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function checkNotEmpty(view: View, request: ForceOwnerRequest, transport: Transport): Promise<void> {
  const node = request.node!;
  const slots = request.slots.map(({ slot }) => slot);
  const address = addressOf(view.ring, node)!;
  const { copies } = await transport.call(address, admin.copies, { node, slots }, CALL_TIMEOUT_MS);
  const empty = copies.filter(({ lastLsn, keys, unusable }) =>
    lastLsn === 0 && keys === 0 && unusable === ""
  );
  if (empty.length === 0) return;
  throw new KvError(
    "refused",
    `node ${address} has nothing at all of slot ${
      empty.map(({ slot }) => slot).join(", ")
    }: all keys there ` +
      "would be gone. Say --accept-empty if they are to start empty",
  );
}
