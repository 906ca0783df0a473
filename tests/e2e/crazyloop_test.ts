/** `kv bench crazyloop` goes on while a data node, and then the active master, are killed. */

import { assert, assertEquals } from "@std/assert";
import { openObserver } from "./harness/client.ts";
import { Cluster } from "./harness/cluster.ts";
import { Ensemble } from "./harness/ensemble.ts";
import { eventually } from "./harness/eventually.ts";
import { TempFolder } from "./harness/folder.ts";
import { inSync } from "./harness/health.ts";
import { KvProcess } from "./harness/process.ts";

const STANDBYS = 2;
/** The loop's keys os, ca and st lie at label 0, ds at label 102. */
const VICTIM = 0;
const ROUND = 9;

/** An operation as the loop prints it. */
const OPERATION = /^(put|get|del) key: (\w+),?(?: val: (\d+))?,? err: (.*?)(?:, val: (.*))?$/;
const TALLY = /^operations: (\d+) errors: (\d+) longest pause: \d+ ms$/;

interface Operation {
  readonly line: string;
  readonly name: string;
  readonly key: string;
  /** What was put or found; empty for none. */
  readonly value: string;
  readonly failed: boolean;
}

function operationsIn(out: string): Operation[] {
  const lines = out.split("\n").slice(0, -1).filter((line) => !TALLY.test(line));
  return lines.map((line) => {
    const [, name, key, put, error, found] = line.match(OPERATION) ?? [];
    assert(name !== undefined && key !== undefined, `not an operation: ${line}`);
    return { line, name, key, value: put ?? found ?? "", failed: error !== "<nil>" && error !== "not found" };
  });
}

/** Every get that found something else than what was last put or deleted; a write that failed may have been done. */
function wrongGets(operations: readonly Operation[]): string[] {
  const possible = new Map<string, Set<string>>();
  const wrong: string[] = [];
  for (const { line, name, key, value, failed } of operations) {
    const before = possible.get(key) ?? new Set([""]);
    if (name !== "get") possible.set(key, new Set(failed ? [...before, value] : [value]));
    else if (!failed && !before.has(value)) wrong.push(line);
  }
  return wrong;
}

Deno.test("crazyloop over two masters, three data nodes and two standbys", async (t) => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path);
  await using cluster = await Cluster.start({
    zk: ensemble.addresses,
    folder: folder.path,
    standbys: STANDBYS,
  });
  using observer = openObserver(cluster.masterAddresses);
  await inSync(observer, cluster.nodes, 1 + STANDBYS);
  const addr = cluster.masterAddresses.join(",");
  await using loop = new KvProcess(["bench", "crazyloop", "--addr", addr, "--interval-ms", "20"]);
  const goesOn = async () => {
    await loop.lines(OPERATION, operationsIn(loop.out).length + 3 * ROUND);
  };
  await goesOn();

  await t.step("kill -9 of a data node: a standby takes its place, and the loop goes on", async () => {
    await cluster.dataNodes[VICTIM]!.process.kill();
    await eventually(
      "ready data",
      () =>
        cluster.standbys.find(({ announced }) => announced?.state === "ready" && announced.role === "data"),
    );
    await goesOn();
  });

  await t.step("kill -9 of the active master: the other takes its place, and the loop goes on", async () => {
    const [active, waiting] = [cluster.masters[0]!, cluster.masters[1]!];
    await active.process.kill();
    assertEquals(await waiting.process.ready("master"), waiting.address);
    await goesOn();
  });

  await t.step("no error but the operation in flight on the killed node, and no wrong value", async () => {
    loop.signal("SIGINT");
    assertEquals(await loop.ended(), 0, loop.err);
    const operations = operationsIn(loop.out);
    const failed = operations.filter(({ failed }) => failed).map(({ line }) => line);
    assert(failed.length <= 1, failed.join("\n"));
    assertEquals(wrongGets(operations), []);
    const [, total, errors] = loop.out.trimEnd().split("\n").at(-1)!.match(TALLY)!;
    assertEquals([Number(total), Number(errors)], [operations.length, failed.length]);
  });
});
