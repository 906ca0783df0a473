/**
 * Running inside a network of namespaces. A process cannot move there; so a program or test that wants a network runs
 * again inside it, while the first process stays outside, watches, and removes the network however the other ends.
 */

import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { TempFolder } from "./folder.ts";
import { enter, Network, removeAbandonedNetworks, whyNoNetwork } from "./network.ts";

/** Names the network that this process is inside of. */
const VARIABLE = "KV_TEST_NETWORK";
const PERMISSIONS = ["read", "write", "net", "env", "run", "sys"].map((name) => `--allow-${name}`);

/** For programs: resolves inside a network. Outside, it runs the program inside, and ends with its exit code. */
export async function enterNetwork(): Promise<Network> {
  const network = present();
  if (network !== undefined) return network;
  const reason = whyNoNetwork();
  if (reason !== undefined) {
    console.error(reason);
    Deno.exit(6);
  }
  Deno.exit(
    await runInside(["run", "--quiet", ...PERMISSIONS, fileURLToPath(Deno.mainModule), ...Deno.args]),
  );
}

/** For tests in the file `url`. Where there can be no network the test is skipped, and says why. */
export function networkTest(
  name: string,
  url: string,
  test: (network: Network, t: Deno.TestContext) => Promise<void>,
): void {
  const network = present();
  if (network !== undefined) return Deno.test(name, (t) => test(network, t));
  const reason = whyNoNetwork();
  if (reason !== undefined) console.error(`skipped: ${name}: ${reason}`);
  Deno.test({
    name,
    ignore: reason !== undefined,
    fn: async () => {
      const args = ["test", "--quiet", "--no-prompt", ...PERMISSIONS, "--filter", name, fileURLToPath(url)];
      assertEquals(await runInside(args), 0, "exit code of the tests inside the network");
    },
  });
}

function present(): Network | undefined {
  const name = Deno.env.get(VARIABLE);
  return name === undefined ? undefined : new Network(name);
}

/** Runs Deno in a new network and with a folder for temporary files; both go with it. Returns its exit code. */
async function runInside(args: readonly string[]): Promise<number> {
  await fetchLibraries();
  removeAbandonedNetworks();
  const network = Network.make();
  await using folder = await TempFolder.make();
  const [program, ...before] = enter(network.name);
  const child = new Deno.Command(program!, {
    args: [...before, Deno.execPath(), ...args],
    env: { [VARIABLE]: network.name, TMPDIR: folder.path },
    stdin: "null",
  }).spawn();
  // The child gets SIGINT of a terminal by itself, and a second one does no harm.
  const signals = ["SIGINT", "SIGTERM"] as const;
  const listeners = signals.map((signal) => () => child.kill(signal));
  signals.forEach((signal, i) => Deno.addSignalListener(signal, listeners[i]!));
  try {
    return (await child.status).code;
  } finally {
    signals.forEach((signal, i) => Deno.removeSignalListener(signal, listeners[i]!));
    network.remove();
  }
}

/** Inside, there is nobody to fetch them from. */
async function fetchLibraries(): Promise<void> {
  const project = fileURLToPath(new URL("../../../", import.meta.url));
  await new Deno.Command(Deno.execPath(), { args: ["install", "--quiet"], cwd: project }).output();
}
