import "./http2_sessions.ts";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { createServer, type Socket } from "node:net";
import { joinAddress, splitAddress } from "../platform/address.ts";
import { KvError, messageOf } from "../platform/errors.ts";
import type { Address, Clock } from "../platform/ports.ts";
import type { Settings } from "./options.ts";

/** The listening socket of a server and the connections that came in. */
export interface Connections {
  /** With the port that was really taken. */
  readonly address: Address;
  stopAccepting(): void;
  /** Closes all connections, after what was written to them; resolves when they are gone. */
  close(): Promise<void>;
}

/**
 * Listens, and hands each connection to the gRPC server. That the sockets are ours makes it possible to close them
 * without HTTP/2's farewell, and gives clear errors.
 *
 * @throws KvError `refused` when the address cannot be had
 */
export function acceptConnections(address: Address, grpc: Server, settings: Settings): Promise<Connections> {
  const { host, port } = splitAddress(address);
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    socket.setNoDelay();
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  return new Promise((resolve, reject) => {
    listener.on("error", (error) => reject(cannotListen(address, error)));
    listener.listen({ host, port }, () => {
      const bound = listener.address();
      const address = joinAddress({
        host,
        port: typeof bound === "object" && bound !== null ? bound.port : port,
      });
      resolve({
        address,
        stopAccepting: () => listener.close(),
        close: () => closeAll(sockets, settings.clock, settings.drainTimeoutMs),
      });
    });
  });
}

/**
 * Says on each socket that nothing more comes, and waits for the other side to close it: closing a socket on which
 * something unread has arrived would make the kernel throw away what the other side has not read yet.
 */
async function closeAll(sockets: ReadonlySet<Socket>, clock: Clock, timeoutMs: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve)); // the library hands over its last frames in this turn
  const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  for (const socket of sockets) socket.end();
  const cancel = clock.after(timeoutMs, () => sockets.forEach((socket) => socket.destroy()));
  await Promise.all(closed);
  cancel();
}

function cannotListen(address: Address, error: Error): KvError {
  const code = (error as { code?: string }).code;
  const way = code === "EADDRINUSE"
    ? "another process has it; stop that one, or choose another port"
    : code === "EADDRNOTAVAIL" || code === "ENOTFOUND"
    ? "this machine has no such address"
    : code === "EACCES"
    ? "ports below 1024 need special rights; choose another port"
    : messageOf(error);
  return new KvError("refused", `cannot listen on ${address}: ${way}`, {}, { cause: error });
}
