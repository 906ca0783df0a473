/** Data nodes that join, leave and come back; in half of the cases one of the nodes is killed in the middle of it. */

import { eventually } from "../harness/eventually.ts";
import { statusOf } from "../harness/health.ts";
import type { Server } from "../harness/server.ts";
import { pause, type World } from "../harness/world.ts";
import { between, type Draw, type Plan, type Scene, seconds } from "./draw.ts";

const DATA_LEAST = 2;
const DATA_MOST = 4;
/** So long what is begun may take on a busy machine. */
const MIDDLE_MS = 3000;

export const mayGrow = ({ data }: Scene) => data < DATA_MOST;
export const mayComeBack = (scene: Scene) => mayGrow(scene) && scene.retired !== undefined;
export const mayShrink = ({ data }: Scene) => data > DATA_LEAST;

export function join(draw: Draw): Plan {
  return grow(draw, "a new data node joins", ({ cluster }) => cluster.startData());
}

export function comeBack(draw: Draw): Plan {
  return grow(
    draw,
    `${draw.scene.retired}, which had left, comes back`,
    ({ cluster }) => cluster.bringBack(),
  );
}

function grow(draw: Draw, what: string, start: (world: World) => Server): Plan {
  const blow = drawBlow(draw);
  return {
    description: `${what}${blow.description}`,
    run: async (world) => {
      const joining = start(world);
      world.shape.data++;
      await blow.fall(joining);
    },
  };
}

export function drain(draw: Draw): Plan {
  const blow = drawBlow(draw);
  const { name, server } = draw.target;
  return {
    description: `${name} is drained${blow.description}`,
    run: async (world) => {
      if (server === undefined) throw new Error(`${name} is no node`);
      await askToLeave(world, server);
      // Killed before it was gone, it has come back, and does not leave any more.
      if (await blow.fall(server) === server) return;
      await eventually(`${name} leaves`, async () => {
        if (server.process.hasEnded) return true;
        await askToLeave(world, server);
        return undefined;
      });
      const code = await server.process.ended();
      if (code !== 0) throw new Error(`${name} left with exit code ${code}: ${server.process.err}`);
      world.cluster.retire(server);
      world.shape.data--;
    },
  };
}

/** As `kv admin drain` does. A node without a master, or one that is leaving already, may refuse; then it is asked again. */
async function askToLeave({ observer }: World, server: Server): Promise<void> {
  const ref = (await statusOf(observer, server))?.node;
  if (ref !== undefined) await observer.client.admin.drain(ref).catch(() => {});
}

interface Blow {
  readonly description: string;
  /** Returns the one that was killed and started again, if it had not ended by itself. */
  fall(moving: Server): Promise<Server | undefined>;
}

/** Falls on the node that comes or goes, on another one, or, in half of the cases, on nobody. */
function drawBlow({ peer, random }: Draw): Blow {
  const ms = between(random, 0, MIDDLE_MS);
  const onWhom = random.below(4);
  const other = peer.group === "copies" ? peer.server : undefined;
  const when = `after ${seconds(ms)}`;
  if (onWhom === 0) return { description: `, and is killed ${when}`, fall: (moving) => strike(moving, ms) };
  if (onWhom === 1 && other !== undefined) {
    return { description: `, and ${other.name} is killed ${when}`, fall: () => strike(other, ms) };
  }
  return { description: "", fall: () => Promise.resolve(undefined) };
}

async function strike(victim: Server, afterMs: number): Promise<Server | undefined> {
  await pause(afterMs);
  if (victim.process.hasEnded) return undefined;
  await victim.process.kill();
  victim.startAgain();
  return victim;
}
