/**
 * How long clients notice a failure: three data nodes, two standbys, two masters and three ZooKeeper servers, each on a
 * network host of its own, under a light load.
 *
 *     deno task bench:failover [--runs 50] [--only kill-data,kill-master] [--standbys 2]
 */

import { parseArgs } from "@std/cli";
import { TempFolder } from "../e2e/harness/folder.ts";
import { enterNetwork } from "../e2e/harness/inside.ts";
import { World } from "../e2e/harness/world.ts";
import { type Figures, figuresLine } from "./failover/figures.ts";
import { Probes } from "./failover/probes.ts";
import { type Scenario, SCENARIOS, type Stage } from "./failover/scenarios.ts";

const DATA_NODES = 3;
/** A probe on every eighth slot: about six for each data node. */
const SLOTS_PER_PROBE = 8;

const args = parseArgs(Deno.args, { string: ["runs", "only", "standbys"] });
const runs = Number(args.runs ?? 50);
const standbys = Number(args.standbys ?? 2);
const only = args.only === undefined ? SCENARIOS.map(({ name }) => name) : String(args.only).split(",");

/** Shows the runs that succeeded also when one fails. */
async function measure(stage: Stage, scenario: Scenario): Promise<void> {
  const results: Figures[] = [];
  try {
    for (let run = 0; run < runs; run++) {
      results.push(await scenario.run(stage));
      await stage.world.recovered("masters");
      await stage.world.recovered("copies");
    }
  } finally {
    show(scenario, results);
  }
}

function show({ title, goals }: Scenario, results: readonly Figures[]): void {
  console.log(`${title}, ${results.length} runs`);
  for (const name of Object.keys(results[0] ?? {})) {
    console.log(figuresLine(name, results.map((figures) => figures[name]!), goals[name]));
  }
}

const network = await enterNetwork();
await using folder = await TempFolder.make();
await using world = await World.start(network, folder.path, { data: DATA_NODES, standbys });
const { client } = world.observer;
const { msn } = (await client.ring()).settings;
const slots = Array.from({ length: msn }, (_, slot) => slot).filter((slot) => slot % SLOTS_PER_PROBE === 0);
await using probes = new Probes(client, slots, msn);
console.log(`${"ms".padEnd(36)}     p50     p90     p99     max   goal`);
for (const scenario of SCENARIOS.filter(({ name }) => only.includes(name))) {
  if (scenario.name === "kill-standby" && standbys === 0) continue;
  await measure({ world, probes }, scenario);
}
