/** What the shell and the sequential bench print over two data nodes, word for word but for the addresses. */

import { assertEquals, assertMatch } from "@std/assert";
import { Cluster } from "./harness/cluster.ts";
import { Ensemble } from "./harness/ensemble.ts";
import { TempFolder } from "./harness/folder.ts";
import { runKv } from "./harness/process.ts";
import { shellAtTerminal } from "./harness/terminal.ts";

const SHELL_IN = `get a
put a 1
del a
get a
del a
put b 2
put c 3
put e 4
dump
`;

const SHELL_OUT = `not found
created
deleted
not found
not found
created
created
created
-------Data server ADDRESS with label 0-------
    key: c value: 3 label: 34
    key: e value: 4 label: 2

-------Data server ADDRESS with label 68-------
    key: b value: 2 label: 85

`;

const TERMINAL_OUT = `This is a distributed key value system.
Supported operations include get, put, del, dump(only for debugging).
kv@ds$ put a 1
created
kv@ds$ del a
deleted
kv@ds$ get a
not found
kv@ds$ get e
4
kv@ds$ 
`;

const SEQUENTIAL_OUT = `get key: os, err: <nil>, val: 100
del key: ds err: <nil>
put key: os val: 100 err: <nil>
put key: ds val: 98 err: <nil>
put key: ca val: 97 err: <nil>
put key: st val: 96 err: <nil>
del key: st err: <nil>
get key: os, err: <nil>, val: 100
get key: ds, err: <nil>, val: 98
get key: ca, err: <nil>, val: 97
get key: st, err: not found, val: 
DUMPING ALL!!!
-------Data server ADDRESS with label 0-------
    key: ds value: 98 label: 105
    key: ca value: 97 label: 130
    key: os value: 100 label: 134
    key: c value: 3 label: 34
    key: e value: 4 label: 2

-------Data server ADDRESS with label 68-------
    key: b value: 2 label: 85

`;

/** The outcome of the one writer is fixed; when the readers see which value is not. */
const CONCURRENT_LINE =
  /^(put key: os val: (100|99|98|97) err: <nil>|[123] get key: os, err: <nil>, val: (100|99|98|97))$/;

function withoutAddresses(text: string): string {
  return text.replaceAll(/127\.0\.0\.1:\d+/g, "ADDRESS");
}

Deno.test("transcripts of shell and bench over two data nodes", async (t) => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path, 1);
  await using cluster = await Cluster.start({ zk: ensemble.addresses, folder: folder.path, data: 2 });
  const addr = cluster.masterAddresses.join(",");

  await t.step("shell", async () => {
    const { code, out, err } = await runKv(["shell", "--addr", addr], { stdin: SHELL_IN });
    assertEquals(withoutAddresses(out), SHELL_OUT, err);
    assertEquals(code, 0, err);
  });
  await t.step("shell at a terminal, with the history of the run before", async () => {
    const prompt = "kv@ds$ ";
    const first = await shellAtTerminal(addr, folder.path, [
      { after: prompt, type: "put a 1\n" },
      { after: prompt, type: "del a\n" },
      { after: prompt, type: "get a\n" },
      { after: prompt, type: "get e\n" },
      { after: prompt, type: "\x04" },
    ]);
    assertEquals(first, TERMINAL_OUT);
    const second = await shellAtTerminal(addr, folder.path, [
      { after: prompt, type: "\x1b[A\n" },
      { after: "4\r\n", type: "" },
      { after: prompt, type: "exit\n" },
    ]);
    assertMatch(second, /kv@ds\$ get e\n4\nkv@ds\$ exit\n/);
  });
  await t.step("bench sequential, the second run of it", async () => {
    assertEquals((await runKv(["bench", "sequential", "--addr", addr])).code, 0);
    const { code, out, err } = await runKv(["bench", "sequential", "--addr", addr]);
    assertEquals(withoutAddresses(out), SEQUENTIAL_OUT, err);
    assertEquals(code, 0, err);
  });
  await t.step("bench concurrent", async () => {
    const { code, out, err } = await runKv(["bench", "concurrent", "--addr", addr]);
    assertEquals(code, 0, err);
    const [operations, dump] = out.split("DUMPING ALL!!!\n") as [string, string];
    const lines = operations.trimEnd().split("\n");
    assertEquals(lines.filter((line) => !CONCURRENT_LINE.test(line)), []);
    assertEquals(lines.length, 18);
    for (const reader of ["1", "2", "3"]) {
      const seen = lines.filter((line) => line.startsWith(reader)).map((line) =>
        Number(line.split("val: ")[1])
      );
      assertEquals(seen, seen.toSorted((a, b) => b - a), `reader ${reader} went back in time`);
    }
    const changed = SEQUENTIAL_OUT.split("DUMPING ALL!!!\n")[1]!.replace(
      "key: os value: 100",
      "key: os value: 97",
    );
    assertEquals(withoutAddresses(dump), changed);
  });
});
