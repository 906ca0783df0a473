/**
 * A network inside this machine, so that a test can cut off real processes: every host is a network namespace, wired to
 * a switch (a bridge) in a namespace of its own, where the test itself runs. The machine's own network is not touched.
 * A cut is silent, as on a real network: packets vanish, nobody is told.
 */

import { identify } from "../../../scripts/zk_process.ts";

/** Of the names of all namespaces; the number of the process that watches over them follows. */
const PREFIX = "kv-e2e-";
/** First half of all addresses; another one where kv's tests are themselves inside such a network. */
const SUBNET = Deno.env.get("KV_TEST_SUBNET") ?? "10.77";
/** Of the switch: without one of its own, a bridge takes that of a port, and changes it when ports come and go. */
const SWITCH_MAC = "02:00:00:00:00:01";
/** Nobody has it: what is sent there is lost. */
const NOBODY_MAC = "02:00:00:00:ff:ff";

/** The switch, and the hosts that are plugged into it. */
export class Network {
  readonly hosts: Host[] = [];

  constructor(readonly name: string) {}

  /** The network of the process that watches over it, made by it. */
  static make(pid = Deno.pid): Network {
    const network = new Network(`${PREFIX}${pid}`);
    ip("netns", "add", network.name);
    network.configure("link", "set", "lo", "up");
    network.configure("link", "add", "switch", "address", SWITCH_MAC, "type", "bridge");
    network.configure("addr", "add", `${SUBNET}.0.1/16`, "dev", "switch");
    network.configure("link", "set", "switch", "up");
    return network;
  }

  /** Plugs in a new host. The name is also its port's: at most 15 characters. */
  addHost(name: string): Host {
    const host = new Host(this, name, `${SUBNET}.1.${this.hosts.length + 1}`);
    this.hosts.push(host);
    ip("netns", "add", host.namespace);
    this.configure("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", host.namespace);
    this.configure("link", "set", name, "master", "switch", "up");
    host.configure("addr", "add", `${host.address}/16`, "dev", "eth0");
    host.configure("link", "set", "lo", "up");
    host.configure("link", "set", "eth0", "up");
    return host;
  }

  /** Runs `ip` with these arguments at the switch. */
  configure(...args: string[]): void {
    ip("-n", this.name, ...args);
  }

  /** Ends every process that is still in the network, and removes it. */
  remove(): void {
    for (const namespace of namespaces().filter((name) => `${name}-`.startsWith(`${this.name}-`))) {
      for (const pid of ip("netns", "pids", namespace).split("\n").filter(Boolean)) {
        kill(Number(pid));
      }
      ip("netns", "del", namespace);
    }
  }
}

/** One machine of the network, so to say: processes that run in its namespace share its address. */
export class Host {
  constructor(private readonly network: Network, readonly name: string, readonly address: string) {}

  get namespace(): string {
    return `${this.network.name}-${this.name}`;
  }

  /** The command that runs a program on this host; the process keeps its number. */
  get enter(): readonly string[] {
    return enter(this.namespace);
  }

  /** Pulls the plug at the switch. */
  cut(): void {
    this.network.configure("link", "set", this.name, "nomaster");
  }

  join(): void {
    this.network.configure("link", "set", this.name, "master", "switch");
  }

  /** From now on nothing that this host sends reaches the other one; the other way is as it was. */
  block(other: Host): void {
    this.configure(
      "neigh",
      "replace",
      other.address,
      "lladdr",
      NOBODY_MAC,
      "dev",
      "eth0",
      "nud",
      "permanent",
    );
  }

  unblock(other: Host): void {
    this.configure("neigh", "del", other.address, "dev", "eth0");
  }

  /** Runs `ip` with these arguments on this host. */
  configure(...args: string[]): void {
    ip("-n", this.namespace, ...args);
  }
}

/** The command that runs a program in a namespace: with the file system of the caller, which `ip netns exec` changes. */
export function enter(namespace: string): readonly string[] {
  return ["nsenter", `--net=/run/netns/${namespace}`, "--"];
}

/** Removes the networks whose watching process is gone: it was killed, and could not. */
export function removeAbandonedNetworks(): void {
  const numbers = namespaces().map((name) => name.slice(PREFIX.length).split("-")[0]!);
  for (const number of new Set(numbers)) {
    if (identify(Number(number)) === undefined) new Network(`${PREFIX}${number}`).remove();
  }
}

/** Why there can be no network here; undefined when there can. */
export function whyNoNetwork(): string | undefined {
  try {
    const probe = `${PREFIX}${Deno.pid}-probe`;
    ip("netns", "add", probe);
    try {
      run([...enter(probe), "true"]);
    } finally {
      ip("netns", "del", probe);
    }
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `network namespaces need root, and the packages iproute2 and util-linux: ${reason}`;
  }
}

function namespaces(): string[] {
  const names = ip("netns", "list").split("\n").map((line) => line.split(" ")[0]!);
  return names.filter((name) => name.startsWith(PREFIX));
}

function ip(...args: string[]): string {
  return run(["ip", ...args]);
}

function run([program, ...args]: readonly string[]): string {
  const { success, stdout, stderr } = new Deno.Command(program!, { args }).outputSync();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
