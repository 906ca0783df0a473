/** A TCP proxy to one of several servers, that breaks connections on demand: the network between client and servers. */
export class Proxy implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #links = new Set<Link>();
  readonly #serving: Promise<void>;
  #cut = false;

  constructor(readonly targets: readonly string[]) {
    this.#serving = this.#serve();
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** While cut, connections are broken and new ones are closed at once. */
  cut(on: boolean): void {
    this.#cut = on;
    if (on) this.break();
  }

  /** Breaks all connections. */
  break(): void {
    for (const link of this.#links) link.close();
  }

  /** From now on the answers of the servers are lost; what clients send still arrives. For present connections only. */
  loseAnswers(): void {
    for (const link of this.#links) link.deaf = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.break();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const running = new Set<Promise<void>>();
    for await (const client of this.#listener) {
      if (this.#cut) {
        client.close();
        continue;
      }
      const done: Promise<void> = this.#link(client).finally(() => running.delete(done));
      running.add(done);
    }
    await Promise.all(running);
  }

  async #link(client: Deno.TcpConn): Promise<void> {
    const target = this.targets[Math.floor(Math.random() * this.targets.length)]!;
    const [hostname, port] = target.split(":");
    let server: Deno.TcpConn;
    try {
      server = await Deno.connect({ hostname: hostname!, port: Number(port) });
    } catch {
      return client.close();
    }
    const link = new Link(client, server);
    this.#links.add(link);
    if (this.#cut) link.close();
    await link.run();
    this.#links.delete(link);
  }
}

class Link {
  deaf = false;
  #closed = false;

  constructor(readonly client: Deno.TcpConn, readonly server: Deno.TcpConn) {}

  async run(): Promise<void> {
    const up = this.#pump(this.client, this.server, () => false);
    const down = this.#pump(this.server, this.client, () => this.deaf);
    await Promise.all([up, down]);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.client.close();
    this.server.close();
  }

  async #pump(from: Deno.TcpConn, to: Deno.TcpConn, drop: () => boolean): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await from.read(buffer);
        if (count === null) break;
        for (let sent = 0; sent < count && !drop();) sent += await to.write(buffer.subarray(sent, count));
      }
    } catch {
      // Broken, by one end or by us.
    }
    this.close();
  }
}
