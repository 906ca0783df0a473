/** The scripts, as far as they need neither a network nor ZooKeeper. */

import { assertEquals, assertMatch } from "@std/assert";

const SCRIPTS = `${import.meta.dirname}/../../scripts`;

async function run(script: string, args: readonly string[], env: Record<string, string> = {}) {
  const command = new Deno.Command(`${SCRIPTS}/${script}`, { args: [...args], env, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("scripts/kv: libraries that cannot be fetched are no key that was not found", () =>
  inFolder(async (folder) => {
    const env = { DENO_DIR: folder, NPM_CONFIG_REGISTRY: "http://127.0.0.1:1/", KV_DENO: Deno.execPath() };
    const { code, out, err } = await run("kv", ["get", "a"], env);
    assertEquals([code, out], [6, ""], err);
    assertMatch(err, /^kv: cannot be loaded: .*npm/);
  }));

Deno.test("scripts/deno: KV_DENO must name a Deno that is new enough", () =>
  inFolder(async (folder) => {
    const old = `${folder}/deno`;
    await Deno.writeTextFile(old, "#!/bin/sh\necho 2.8.3 /bin/true\n", { mode: 0o755 });
    for (const program of [old, "/bin/true", `${folder}/none`]) {
      const { code, err } = await run("deno", ["--version"], { KV_DENO: program });
      assertEquals(
        [code, err.includes(`KV_DENO is "${program}", which is no Deno 2.9 or newer`)],
        [6, true],
        err,
      );
    }
    assertEquals((await run("deno", ["--version"], { KV_DENO: Deno.execPath() })).code, 0);
  }));

Deno.test("scripts/zk stop: says when there is nothing to stop", () =>
  inFolder(async (folder) => {
    const { code, out } = await run("zk", ["stop", "--dir", folder], { KV_DENO: Deno.execPath() });
    assertEquals([code, out], [
      3,
      `no ensemble in ${folder}: name the folder that it was started with by --dir\n`,
    ]);
  }));

Deno.test("scripts/config.ts writes what stands in cfg.yaml", () =>
  inFolder(async (folder) => {
    const path = `${folder}/cfg.yaml`;
    const args = ["run", "--quiet", `--allow-write=${path}`, `${SCRIPTS}/config.ts`, path];
    assertEquals((await run("deno", args, { KV_DENO: Deno.execPath() })).code, 0);
    assertEquals(await Deno.readTextFile(path), await Deno.readTextFile(`${SCRIPTS}/../cfg.yaml`));
  }));

Deno.test("scripts/test: a JAVA_HOME without Java is named, and nothing is installed", async () => {
  const { code, out, err } = await run("test", [], { JAVA_HOME: "/nonexistent", KV_DENO: Deno.execPath() });
  assertEquals([code, out], [1, "0 passed, 1 failed\n"]);
  assertMatch(err, /JAVA_HOME is "\/nonexistent", which has no bin\/java/);
});
