import { type NodeRef, sameRef, type SlotEntry } from "../../../core/ring/ring.ts";
import type { Cluster } from "../cluster.ts";
import type { SeededRandom } from "../world/random.ts";
import type { Fault } from "./fault.ts";

const ASK_EVERY_MS = 700;
const ASKS_MAX = 12;

/** What people do when the cluster cannot help itself. They know what they say: no owner that they call dead runs. */
export const OPERATOR_FAULTS: readonly Fault[] = [
  {
    name: "all copies in sync of a slot lost, and an owner forced on it",
    group: "operator",
    replicated: true,
    inject: (cluster, random) => {
      const slot = cluster.slotOf(random.pick(cluster.plan.keys));
      const entry = cluster.rings.ring?.slots[slot];
      if (entry?.owner === undefined || entry.isr.length === cluster.nodes.length) return undefined;
      for (const { id } of entry.isr) {
        const machine = cluster.machineOf(id);
        machine?.kill("power");
        machine?.startIn(random.between(9000, 15_000));
      }
      ask(
        cluster,
        random,
        (now) => areDead(cluster, now.isr) ? another(cluster, random, now) : undefined,
        slot,
      );
      return true;
    },
  },
  {
    name: "damaged copy without a better one salvaged",
    group: "operator",
    inject: (cluster, random) => {
      const slots = cluster.rings.ring?.slots ?? [];
      const slot = slots.findIndex(({ owner }, slot) =>
        owner !== undefined && cluster.invariants.isDamaged(slot, owner.id) &&
        !cluster.invariants.hasCopy(slot)
      );
      if (slot < 0) return undefined;
      ask(cluster, random, ({ owner }) => owner, slot);
      return true;
    },
  },
];

/** Asks the master again and again, until the slot has changed hands, or needs it no more. */
function ask(
  cluster: Cluster,
  random: SeededRandom,
  chosen: (entry: SlotEntry) => NodeRef | undefined,
  slot: number,
  asks = 1,
): void {
  cluster.scheduler.after(ASK_EVERY_MS * (0.5 + random.number()), async () => {
    const entry = cluster.rings.ring!.slots[slot]!;
    const node = chosen(entry);
    const { admin } = cluster.clients.find(({ alive }) => alive)?.program?.client ?? {};
    if (node !== undefined && admin !== undefined) {
      const { epoch, isrSeq } = entry;
      const slots = [{ slot, epoch, isrSeq }];
      const said = { by: "an operator", ownerIsDead: true, acceptEmpty: random.chance(0.5) };
      try {
        await admin.forceOwner({ slots, node, ...said });
        return;
      } catch (error) {
        cluster.trace(`an owner is not forced on slot ${slot}: ${(error as Error).message}`);
      }
    }
    if (asks < ASKS_MAX) ask(cluster, random, chosen, slot, asks + 1);
  });
}

function areDead(cluster: Cluster, refs: readonly NodeRef[]): boolean {
  return refs.every(({ id }) => cluster.invariants.liveNode(id) === undefined);
}

/** One that lives and is not in sync. */
function another(cluster: Cluster, random: SeededRandom, { isr }: SlotEntry): NodeRef | undefined {
  const { nodes, standbys } = cluster.rings.ring!;
  const living = [...nodes, ...standbys].map(({ ref }) => ref).filter((ref) =>
    !isr.some(({ id }) => id === ref.id) &&
    sameRef(cluster.invariants.liveNode(ref.id)?.node.self, ref)
  );
  return living.length === 0 ? undefined : random.pick(living);
}
