/** The ZooKeeper ensemble of `kv up --zookeeper`. */

import type { Config } from "../../core/platform/config.ts";
import { KvError, messageOf } from "../../core/platform/errors.ts";
import { SETTINGS } from "../../core/platform/config_table.ts";
import type { Io } from "../framework/io.ts";
import { zookeeper } from "../framework/server.ts";
import { realWorld } from "../framework/world.ts";
import { linesOf } from "../framework/io.ts";
import type { Plan } from "./cluster.ts";

/**
 * Makes sure that the servers of the settings answer. Where none does and the settings name the ensemble that
 * `scripts/zk` makes, starts it. Resolves with how to stop it: nothing for an ensemble that was there before.
 */
export async function openEnsemble({ config, folder, io }: Plan): Promise<() => Promise<void>> {
  const why = await unreachable(config);
  if (why === undefined) return () => Promise.resolve();
  const script = zkScript();
  if (script === undefined || config.zk.join() !== SETTINGS.zk.default.join()) {
    throw new KvError(
      "unavailable",
      `no ZooKeeper server answers at ${config.zk.join(",")} (${why}): start it, or name another with --zk` +
        (script === undefined ? "; this kv has no scripts/zk beside it, which could start one" : ""),
    );
  }
  const place = ["--dir", `${folder}/zookeeper`];
  await run(script, ["start", ...place], io);
  const still = await unreachable(config);
  if (still !== undefined) {
    throw new KvError("unavailable", `ZooKeeper was started and does not answer: ${still}`);
  }
  return () => run(script, ["stop", ...place], io);
}

/** Why no session can be opened; undefined when one can. */
async function unreachable(config: Config): Promise<string | undefined> {
  const world = await realWorld({ logLevel: "error" }, "zookeeper");
  try {
    const session = await (await zookeeper(config, world)).open();
    await session.close();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** `scripts/zk`, beside the script that started this program or below `main.ts`; `bin/kv` has none. */
function zkScript(): string | undefined {
  const self = Deno.env.get("KV_SELF");
  const main = new URL("./scripts/zk", Deno.mainModule);
  const path = self
    ? self.replace(/[^/]*$/, "zk")
    : main.protocol === "file:"
    ? decodeURIComponent(main.pathname)
    : "";
  try {
    return Deno.statSync(path).isFile ? path : undefined;
  } catch {
    return undefined;
  }
}

async function run(script: string, args: readonly string[], io: Io): Promise<void> {
  const process = new Deno.Command(script, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const decoder = new TextDecoder();
  for await (const line of linesOf(process.stdout)) io.err(`[zookeeper] ${decoder.decode(line)}`);
  const { code } = await process.status;
  if (code !== 0) {
    throw new KvError("unavailable", `${script} ${args.join(" ")} failed; its messages are above`);
  }
}
