import type { Coordinator, Session } from "../../core/coordination/coordinator.ts";
import { zookeeperCoordinator } from "../../core/coordination/zookeeper.ts";
import { systemClock } from "../../core/platform/clock.ts";
import type { Log } from "../../core/platform/ports.ts";
import { systemRandom } from "../../core/platform/random.ts";
import type { Ensemble } from "../../scripts/zk_ensemble.ts";
import { coordinatorContract, eventually, type Subject } from "./contract.ts";
import { temporaryEnsemble } from "./ensemble.ts";
import { lockContract } from "./lock_contract.ts";
import { Proxy } from "./proxy.ts";

const silent: Log = () => {};
const world = { clock: systemClock, random: systemRandom, log: silent };
const limits = { sessionTimeoutMs: 1500, callTimeoutMs: 1000, connectTimeoutMs: 1000 };

let ensemble: Ensemble & AsyncDisposable;
let tests = 0;

Deno.test.beforeAll(async () => {
  ensemble = await temporaryEnsemble();
});

Deno.test.afterAll(async () => await ensemble[Symbol.asyncDispose]());

/** Each session goes through a proxy of its own, which is its network. */
class ProxiedCoordinator implements Coordinator {
  readonly proxies = new Map<string, Proxy>();

  constructor(readonly servers: readonly string[], readonly root: string) {}

  async open(): Promise<Session> {
    const proxy = new Proxy(this.servers);
    let session: Session | undefined;
    try {
      session = await zookeeperCoordinator({ servers: [proxy.address], ...limits, ...world }).open();
      this.proxies.set(session.id, proxy);
      // Its server may lag behind: the answer to a transaction comes after all that was committed before.
      await session.transaction([{ kind: "check", path: this.root }]);
      return session;
    } catch (error) {
      await session?.close();
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Keeps the session from its servers until its ephemeral node is gone. */
  async expire(session: Session, watcher: Session): Promise<void> {
    const mark = await session.create(`${this.root}-mark`, "", "ephemeral-sequential");
    await eventually(async (changed) => (await watcher.get(mark, changed)) !== undefined);
    const proxy = this.proxies.get(session.id)!;
    proxy.cut(true);
    await eventually(async (changed) => (await watcher.get(mark, changed)) === undefined);
    proxy.cut(false);
  }

  /** Breaks a connection every 100 ms, half of them after losing answers for a while. */
  disturb(): () => void {
    return systemClock.every(100, () => {
      const proxies = [...this.proxies.values()];
      const proxy = proxies[systemRandom.below(proxies.length)];
      if (systemRandom.number() < 0.5) proxy?.loseAnswers();
      systemClock.after(20, () => proxy?.break());
    });
  }
}

async function setUp(): Promise<Subject> {
  const servers = ensemble.addresses.split(",");
  const direct = await zookeeperCoordinator({ servers, ...limits, ...world }).open();
  const root = `/test-${++tests}`;
  const coordinator = new ProxiedCoordinator(servers, root);
  await direct.ensurePath(root);
  let calm = () => {};
  return {
    coordinator,
    world,
    root,
    expire: (session) => coordinator.expire(session, direct),
    disturb: (on) => {
      calm();
      calm = on ? coordinator.disturb() : () => {};
    },
    drive: (test) => test,
    [Symbol.asyncDispose]: async () => {
      calm();
      await direct.close();
      for (const proxy of coordinator.proxies.values()) await proxy[Symbol.asyncDispose]();
    },
  };
}

coordinatorContract("ZooKeeper", setUp);
lockContract("ZooKeeper", setUp);
