import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { isFree } from "../../scripts/zk_ensemble.ts";
import { identify } from "../../scripts/zk_process.ts";

const script = fileURLToPath(new URL("../../scripts/zk", import.meta.url));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function zk(...args: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(script, { args }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

function freePort(): number {
  for (;;) {
    const port = 31_000 + Math.floor(Math.random() * 1000);
    if ([port, port + 1, port + 2].every(isFree)) return port;
  }
}

Deno.test("zk: starts, tells what runs, restarts and stops one server, each again at no cost", async () => {
  const dir = await Deno.makeTempDir();
  const port = freePort();
  const shape = ["--nodes", "1", "--base-port", `${port}`, "--dir", dir];
  try {
    assertEquals(await zk("start", ...shape), {
      code: 0,
      out: `127.0.0.1:${port}\nserver 1 leads\n`,
      err: "",
    });
    const pid = Deno.readTextFileSync(`${dir}/1/pid`);
    assertEquals((await zk("start", "--dir", dir)).code, 0);
    assertEquals(Deno.readTextFileSync(`${dir}/1/pid`), pid);
    assertEquals(await zk("status", "--dir", dir), {
      code: 0,
      out: `1 127.0.0.1:${port} standalone\n`,
      err: "",
    });
    const other = await zk("start", "--base-port", `${port}`, "--dir", `${dir}/other`);
    assertEquals(other.code, 6);
    assertStringIncludes(other.err, `port ${port} of server 1 is taken`);
    assertStringIncludes((await zk("start", "--nodes", "3", "--dir", dir)).err, "--nodes 1, not 3");
    assertEquals((await zk("restart", "--dir", dir)).code, 0);
    assert(Deno.readTextFileSync(`${dir}/1/pid`) !== pid);
  } finally {
    assertEquals(await zk("stop", "--dir", dir), { code: 0, out: "stopped\n", err: "" });
  }
  assertEquals((await zk("stop", "--dir", dir)).code, 0);
  assertEquals(await zk("status", "--dir", dir), {
    code: 3,
    out: `1 127.0.0.1:${port} not running\n`,
    err: "",
  });
  await Deno.remove(dir, { recursive: true });
});

Deno.test("zk: stop leaves a process alone that has only the number of one it started", async () => {
  const dir = await Deno.makeTempDir();
  const bystander = new Deno.Command("sleep", { args: ["60"] }).spawn();
  Deno.writeTextFileSync(`${dir}/ensemble.json`, JSON.stringify({ nodes: 1, basePort: freePort() }));
  Deno.mkdirSync(`${dir}/1`);
  const { startTicks } = identify(bystander.pid)!;
  Deno.writeTextFileSync(`${dir}/1/pid`, `${bystander.pid} ${startTicks - 1}\n`);
  assertEquals((await zk("stop", "--dir", dir)).code, 0);
  assertEquals(identify(bystander.pid)?.startTicks, startTicks);
  bystander.kill();
  await bystander.status;
  await Deno.remove(dir, { recursive: true });
});

Deno.test("zk: says what is wrong with its arguments, and what is missing", async () => {
  assertEquals((await zk("begin")).code, 2);
  assertStringIncludes(
    (await zk("start", "--nodes", "many")).err,
    `--nodes is "many", not a whole number from 1 to 9`,
  );
  assertStringIncludes((await zk("start", "--fast")).err, "--fast is no flag");
  assertStringIncludes((await zk("--help")).out, "usage: scripts/zk start|stop|restart|status");
  const dir = await Deno.makeTempDir();
  const { stderr } = await new Deno.Command(script, {
    args: ["start", "--dir", `${dir}/zk`, "--base-port", `${freePort()}`, "--nodes", "1"],
    env: { ZOOKEEPER_HOME: dir },
  }).output();
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    `ZOOKEEPER_HOME is "${dir}", which has no folder "lib"`,
  );
  await Deno.remove(dir, { recursive: true });
});
