/**
 * `deno task sim:many [--nodes 137]`: as many data nodes as there are seats join one simulated cluster, at once and in
 * whatever order they come to it; then all of them but one leave. Prints how long it took, and how large the ring was.
 * Exit code 1: something was lost.
 */

import { parseArgs } from "@std/cli";
import { ringToJson } from "../../core/ring/document.ts";
import { placementOf } from "../../core/ring/followers.ts";
import { sameRef } from "../../core/ring/ring.ts";
import { Cluster } from "./cluster.ts";
import { checkHistory } from "./history.ts";
import { quietPlan } from "./quiet_plan.ts";
import { SeededRandom } from "./world/random.ts";

const MSN = 137;
const KEYS = 300;
const WITHIN_MS = 3_600_000;

/** A cluster of many data nodes, all of which come and go. */
class Crowd {
  readonly cluster: Cluster;
  readonly #keys = Array.from({ length: KEYS }, (_, i) => `key${i}`);
  documentBytesMost = 0;

  constructor(dataNodes: number) {
    this.cluster = new Cluster(quietPlan({ dataNodes, config: { msn: MSN } }), new SeededRandom(1));
    // To look at every slot of every node after each event would take hours; the checks of the ring and of answers stay.
    Object.assign(this.cluster.invariants, { look() {}, acknowledged() {} });
    this.cluster.rings.onWrite((ring) => {
      this.documentBytesMost = Math.max(this.documentBytesMost, ringToJson(ring).length);
    });
  }

  async join(): Promise<void> {
    const { masters, clients, standbys, dataNodes } = this.cluster;
    for (const machine of [...masters, ...clients, ...standbys, dataNodes[0]!]) machine.start();
    await this.until("the first is ready", () => dataNodes[0]!.ready);
    await this.#askAll("put");
    for (const machine of dataNodes) machine.start();
    await this.until("all own what they should", () => this.#settled(dataNodes.length));
    await this.#askAll("get");
  }

  async leave(): Promise<void> {
    const [last, ...others] = this.cluster.dataNodes;
    for (const machine of others) {
      machine.retired = true;
      void machine.program!.leave();
    }
    await this.until("all have left", () => others.every(({ alive }) => !alive) && this.#settled(1));
    await this.#askAll("get");
    if (!last!.alive) throw new Error("the last data node has gone, too");
  }

  check(): void {
    const { violations, gaveUp } = checkHistory(this.cluster.history, () => false);
    const problems = [...this.cluster.violations, ...violations, ...gaveUp];
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }

  async until(what: string, done: () => boolean): Promise<void> {
    const { scheduler, violations } = this.cluster;
    const found = await scheduler.runUntil(
      () => violations.length > 0 || done(),
      scheduler.nowMs + WITHIN_MS,
    );
    if (violations.length > 0) throw new Error(violations[0]);
    if (!found) throw new Error(`not within ${WITHIN_MS} ms: ${what}`);
  }

  #settled(dataNodes: number): boolean {
    const { ring } = this.cluster.rings;
    if (ring === undefined || ring.nodes.length !== dataNodes) return false;
    const { wanted } = placementOf(ring);
    return ring.slots.every(({ owner, isr }, slot) => sameRef(owner, wanted[slot]?.ref) && isr.length === 2);
  }

  async #askAll(kind: "get" | "put"): Promise<void> {
    const client = this.cluster.clients[0]!.program!;
    let left = this.#keys.length;
    for (const key of this.#keys) {
      const request = kind === "get" ? { kind } : { kind, value: client.value() };
      void client.operate(key, request, 30_000).then(() => left--);
    }
    await this.until("all keys are answered", () => left === 0);
    if (kind === "get" && this.cluster.history.answers.get("unknown")) {
      throw new Error("a read was not answered");
    }
  }
}

const nodes = Number(parseArgs(Deno.args, { string: ["nodes"] }).nodes ?? MSN);
Error.stackTraceLimit = 0;
const crowd = new Crowd(nodes);
const startMs = performance.now();
const told = (what: string) =>
  console.log(
    `${what}: ${(crowd.cluster.scheduler.nowMs / 1000).toFixed(1)} s of virtual time, ` +
      `${((performance.now() - startMs) / 1000).toFixed(1)} s here; ring ${
        crowd.cluster.rings.ring!.version
      }, ` +
      `its document at most ${crowd.documentBytesMost} bytes`,
  );
await crowd.join();
told(`${nodes} data nodes have joined`);
await crowd.leave();
told("all but one have left");
crowd.check();
console.log(`nothing is lost: all ${KEYS} keys were read each time`);
