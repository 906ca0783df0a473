import { assertEquals } from "@std/assert";
import { UnreachableError } from "../../core/platform/errors.ts";
import { FakeClient, kv } from "./commands_fake.ts";
import { ref, Told } from "./insight_world.ts";

/** The key c lies in slot 34: hash 3859557458, file 2/3. */
function client(): { client: FakeClient; told: Told } {
  const told = new Told(["s", "t"]);
  told.change((entry, slot) => slot === 34 ? { ...entry, epoch: 3, isr: [ref("a"), ref("s")] } : entry);
  const client = new FakeClient();
  client.ringChanges = told.ring;
  return { client, told };
}

Deno.test("explain: hash, slot, label, owner, copies, epoch, file, version", async () => {
  const { client: fake } = client();
  await fake.put("c", "1");
  assertEquals(await kv(fake, ["explain", "c"]).then(({ code, stdout }) => [code, stdout]), [
    0,
    `key c
hash 3859557458
slot 34
label 0
owner a:1
epoch 3
file 2/3
version 1
ring 1
copies:
  data a:1 (label 0): in sync
  standby s:1: in sync
  standby t:1: not in sync
`,
  ]);
  const { stdout } = await kv(fake, ["explain", "c", "--output", "json"]);
  const { copies, ...rest } = JSON.parse(stdout);
  assertEquals(rest, {
    ...{ key: "c", hash: 3859557458, slot: 34, owner: "a:1", label: 0, epoch: 3, movesTo: null },
    ...{ file: "2/3", version: 1, ringVersion: 1 },
  });
  assertEquals(copies[2], { node: ref("t"), name: "standby t:1", inSync: false });
});

Deno.test("explain: a slot on its way, a key without a value, an owner that does not answer", async () => {
  const { client: fake, told } = client();
  told.change((entry, slot) => slot === 34 ? { ...entry, owner: ref("b"), isr: [ref("b")] } : entry);
  fake.ringChanges = told.ring;
  const { code, stdout } = await kv(fake, ["explain", "c"]);
  assertEquals([code, stdout.includes("moves to a:1 (label 0)\n"), stdout.includes("version not found\n")], [
    0,
    true,
    true,
  ]);
  fake.failing.set("c", new UnreachableError("no answer"));
  const failed = await kv(fake, ["explain", "c"]);
  assertEquals([failed.code, failed.stderr, failed.stdout.includes("version unknown\n")], [
    3,
    "kv: no answer\n",
    true,
  ]);
});

Deno.test("explain: a slot that nobody owns", async () => {
  const { client: fake, told } = client();
  told.change(() => ({ owner: undefined, epoch: 0, isr: [], isrSeq: 0 }));
  fake.ringChanges = told.ring;
  const { stdout } = await kv(fake, ["explain", "c"]);
  assertEquals(stdout.includes("owner none\n"), true);
});
