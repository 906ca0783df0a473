import { assertEquals, assertRejects } from "@std/assert";
import { CoordinatorError } from "../../core/coordination/coordinator.ts";
import { zookeeperCoordinator } from "../../core/coordination/zookeeper.ts";
import { systemClock } from "../../core/platform/clock.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { reached } from "../zookeeper/contract.ts";

/** A server that is not one: it takes connections and does with each what `serve` says. */
class FakeServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.TcpConn[] = [];
  readonly #serving: Promise<void>;

  constructor(readonly serve: (connection: Deno.TcpConn) => Promise<void>) {
    this.#serving = this.#accept();
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
    await this.#serving;
  }

  async #accept(): Promise<void> {
    const running: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.#connections.push(connection);
      running.push(this.serve(connection).catch(() => {}));
    }
    await Promise.all(running);
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}

function coordinatorAt(server: string) {
  return zookeeperCoordinator({
    servers: [server],
    sessionTimeoutMs: 3000,
    callTimeoutMs: 100,
    connectTimeoutMs: 100,
    clock: systemClock,
    random: systemRandom,
    log: () => {},
  });
}

/** A packet of the protocol: its length in four bytes, then these four-byte numbers. */
function packet(...words: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + 4 * words.length));
  view.setInt32(0, 4 * words.length);
  words.forEach((word, i) => view.setInt32(4 + 4 * i, word));
  return new Uint8Array(view.buffer);
}

/** The answer to a connect request: protocol 0, time limit 3000 ms, session 7, a password of 16 bytes. */
const WELCOME = packet(0, 3000, 0, 7, 16, 1, 2, 3, 4);
/** The same with time limit 0: the session that was to be taken up has ended. */
const EXPIRED = packet(0, 0, 0, 0, 16, 0, 0, 0, 0);

async function answerConnect(connection: Deno.TcpConn, answer: Uint8Array): Promise<void> {
  await connection.read(new Uint8Array(1024));
  await connection.write(answer);
}

const hopeless = {
  "says nothing": async () => {},
  "hangs up at once": (connection: Deno.TcpConn) => Promise.resolve(close(connection)),
  "sends nonsense": async (connection: Deno.TcpConn) => {
    await connection.write(packet(...Array.from({ length: 50 }, () => -1)));
  },
  "hangs up in the middle of a packet": async (connection: Deno.TcpConn) => {
    await answerConnect(connection, WELCOME.subarray(0, 9));
    close(connection);
  },
} as const;

for (const [how, serve] of Object.entries(hopeless)) {
  Deno.test(`zookeeper: opening at a server that ${how} fails in time`, async () => {
    await using server = new FakeServer(serve);
    const error = await assertRejects(
      () => coordinatorAt(server.address).open(),
      CoordinatorError,
      server.address,
    );
    assertEquals(error.fault, "connection-loss");
  });
}

Deno.test("zookeeper: opening where nobody listens fails with the address", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  listener.close();
  await assertRejects(() => coordinatorAt(address).open(), CoordinatorError, address);
});

const badAnswers = {
  "no answer": undefined,
  "an answer to another question": packet(99, 0, 1, 0),
  "an error that the library does not know": packet(0, 0, 1, -118),
  "an answer that is cut short": packet(0, 0, 1, 0, 1),
} as const;

for (const [what, answer] of Object.entries(badAnswers)) {
  Deno.test(`zookeeper: ${what} costs the connection, not the session, nor the process`, async () => {
    let connections = 0;
    await using server = new FakeServer(async (connection) => {
      await answerConnect(connection, WELCOME);
      if (++connections > 1) return;
      await connection.read(new Uint8Array(1024));
      if (answer) await connection.write(answer);
    });
    const session = await coordinatorAt(server.address).open();
    assertEquals(session.id, "7");
    const again = reached(session, "suspended").then(() => reached(session, "connected"));
    const error = await assertRejects(() => session.get("/a"), CoordinatorError);
    assertEquals(error.fault, "connection-loss");
    await again;
    await session.close();
  });
}

Deno.test("zookeeper: a session that cannot be taken up again is expired", async () => {
  let connections = 0;
  await using server = new FakeServer(async (connection) => {
    await answerConnect(connection, ++connections === 1 ? WELCOME : EXPIRED);
    close(connection);
  });
  const session = await coordinatorAt(server.address).open();
  await reached(session, "expired");
  const error = await assertRejects(() => session.get("/a"), CoordinatorError);
  assertEquals(error.fault, "session-expired");
  await session.close();
  assertEquals(session.state, "expired");
});
