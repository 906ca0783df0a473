/** The faults that chaos injects, each drawn from a seed with all that it will do. */

import type { Random } from "../../../core/platform/ports.ts";
import { statusOf } from "../harness/health.ts";
import type { Host } from "../harness/network.ts";
import { between, type Draw, type Fault, type Plan, type Scene, seconds } from "./draw.ts";
import { comeBack, drain, join, mayComeBack, mayGrow, mayShrink } from "./membership.ts";
import { type Target, TARGET_KINDS } from "./target.ts";
import { pause } from "../harness/world.ts";

interface Action {
  /** How often it is drawn, beside the others. */
  readonly weight: number;
  readonly plan: (draw: Draw) => Plan;
  /** For data nodes alone, and if the cluster allows it. */
  readonly possible?: (scene: Scene) => boolean;
}

const ACTIONS = new Map<string, Action>([
  ["kill", { weight: 2, plan: kill }],
  ["pause", { weight: 2, plan: stop }],
  ["cut off", { weight: 2, plan: cutOff }],
  ["cut pair", { weight: 1, plan: cutBothWays }],
  ["cut one way", { weight: 1, plan: cutOneWay }],
  ["join", { weight: 2, plan: join, possible: mayGrow }],
  ["return", { weight: 2, plan: comeBack, possible: mayComeBack }],
  ["drain", { weight: 3, plan: drain, possible: mayShrink }],
]);

/** A fault that leaves the busy groups alone; undefined when nobody is left to hit. */
export function drawFault(random: Random, scene: Scene): Fault | undefined {
  const free = scene.targets.filter(({ group }) => !scene.busy.has(group));
  // A cut between two needs two.
  if (free.length < 2) return undefined;
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!;
  const kinds = Object.entries(TARGET_KINDS).filter(([kind]) => free.some((target) => target.kind === kind));
  const kind = pick(kinds.flatMap(([kind, weight]) => repeat(kind, weight)));
  const actions = [...ACTIONS].filter(([, { possible }]) => !possible || kind === "data" && possible(scene));
  const [name, { plan }] = pick(actions.flatMap((action) => repeat(action, action[1].weight)));
  const target = pick(free.filter((each) => each.kind === kind));
  const peer = pick(free.filter((each) => each !== target));
  const { description, run, withPeer } = plan({ scene, target, peer, random });
  const groups = new Set(withPeer ? [target.group, peer.group] : [target.group]);
  return { kind: `${name} ${kind}`, description, groups, run };
}

function repeat<T>(item: T, times: number): T[] {
  return Array.from({ length: times }, () => item);
}

/** A killed copy comes back at once, or so late that another has taken its place, and then perhaps without its data. */
function kill({ target, random }: Draw): Plan {
  const isCopy = target.group === "copies";
  const late = !isCopy || random.below(2) === 0;
  const downMs = !late ? 0 : isCopy ? between(random, 5000, 10_000) : between(random, 1000, 5000);
  const empty = isCopy && late && random.below(2) === 0;
  return {
    description: `kill -9 ${target.name}, back after ${seconds(downMs)}${
      empty ? ", empty if not needed" : ""
    }`,
    run: async (world) => {
      const { server } = target;
      const id = server && (await statusOf(world.observer, server))?.node?.id;
      await target.kill();
      await pause(downMs);
      const emptied = empty && world.shape.standbys > 0 && id !== undefined &&
        !(await world.neededByRing(id));
      await (emptied ? world.cluster.restartEmpty(server!) : target.startAgain());
    },
  };
}

function stop({ target, random }: Draw): Plan {
  const ms = between(random, 500, 5000);
  return {
    description: `SIGSTOP ${target.name} for ${seconds(ms)}`,
    run: () => during(ms, () => target.signal("SIGSTOP"), () => target.signal("SIGCONT")),
  };
}

function cutOff({ target: { name, host }, random }: Draw): Plan {
  const ms = between(random, 1000, 5000);
  return {
    description: `${name} cut off for ${seconds(ms)}`,
    run: () => during(ms, () => host.cut(), () => host.join()),
  };
}

function cutBothWays(draw: Draw): Plan {
  return cutBetween(draw, "and", [[draw.target, draw.peer], [draw.peer, draw.target]]);
}

function cutOneWay(draw: Draw): Plan {
  return cutBetween(draw, "to", [[draw.target, draw.peer]]);
}

function cutBetween({ target, peer, random }: Draw, how: string, ways: readonly (readonly Target[])[]): Plan {
  const ms = between(random, 1000, 5000);
  const each = (act: (from: Host, to: Host) => void) => () =>
    ways.forEach(([from, to]) => act(from!.host, to!.host));
  return {
    description: `${target.name} ${how} ${peer.name} cut for ${seconds(ms)}`,
    run: () => during(ms, each((from, to) => from.block(to)), each((from, to) => from.unblock(to))),
    withPeer: true,
  };
}

async function during(ms: number, begin: () => void, end: () => void): Promise<void> {
  begin();
  try {
    await pause(ms);
  } finally {
    end();
  }
}
