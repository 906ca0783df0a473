/** The two benches that come to an end. */

import { dump } from "../print/dump.ts";
import { type Bench, printedDelete, printedGet, printedPut } from "./operations.ts";

/** One operation after the other. Resolves with the errors met. */
export async function sequential(bench: Bench): Promise<unknown[]> {
  const outcomes = [
    await printedGet(bench, "os"),
    await printedDelete(bench, "ds"),
    await printedPut(bench, "os", "100"),
    await printedPut(bench, "ds", "98"),
    await printedPut(bench, "ca", "97"),
    await printedPut(bench, "st", "96"),
    await printedDelete(bench, "st"),
    await printedGet(bench, "os"),
    await printedGet(bench, "ds"),
    await printedGet(bench, "ca"),
    await printedGet(bench, "st"),
  ];
  await dumpAll(bench);
  return outcomes.filter((error) => error !== undefined);
}

/** How often each of the three readers reads. */
const READS = [5, 5, 4];

/** One writer and three numbered readers of the same key. Resolves with the errors met. */
export async function concurrent(bench: Bench): Promise<unknown[]> {
  const outcomes = [await printedPut(bench, "os", "100")];
  const write = async () => {
    for (const value of ["99", "98", "97"]) outcomes.push(await printedPut(bench, "os", value));
  };
  const read = async (reads: number, index: number) => {
    for (let i = 0; i < reads; i++) outcomes.push(await printedGet(bench, "os", `${index + 1} `));
  };
  await Promise.all([write(), ...READS.map(read)]);
  await dumpAll(bench);
  return outcomes.filter((error) => error !== undefined);
}

async function dumpAll({ client, print }: Bench): Promise<void> {
  print("DUMPING ALL!!!\n");
  await dump(client, print);
}
