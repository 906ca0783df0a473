/**
 * Three repairs of HTTP/2 sessions that cannot be made from outside. Import it before a session is made.
 *
 * GOAWAY: a peer that says goodbye makes `node:http2` close the session from within the callback for that frame. Deno
 * (2.9.6; denoland/deno#36788) then frees the native session at once, although the native code that called back goes on
 * with it: the process crashes, now or later. Every gRPC client of any language sends GOAWAY when it closes, so this
 * would be a way to stop a server. Here, closing waits for the next turn of the event loop, when no native code is on
 * the stack.
 *
 * Silence: grpc-js waits without limit for the first words of a server that has accepted the connection, and a frozen
 * process accepts as long as its kernel does. Here, such an attempt fails after a while, and is made again later.
 *
 * Window: the option for it is one of grpc-js's clients alone (1.14); its servers have HTTP/2's own.
 */

import { systemClock } from "../platform/clock.ts";
import http2, { type ClientHttp2Session, type Http2Session, type ServerOptions } from "node:http2";
import { WINDOW_BYTES } from "./options.ts";

const HANDSHAKE_TIMEOUT_MS = 2000;

function closeLater<S extends Http2Session>(session: S): S {
  const close = session.close.bind(session);
  const destroy = session.destroy.bind(session);
  session.close = (...args) => void setImmediate(close, ...args);
  session.destroy = (...args) => void setImmediate(destroy, ...args);
  return session;
}

function limitHandshake(session: ClientHttp2Session): ClientHttp2Session {
  const cancel = systemClock.after(HANDSHAKE_TIMEOUT_MS, () => {
    session.destroy(new Error(`connected, but no answer within ${HANDSHAKE_TIMEOUT_MS} ms`));
  });
  session.once("remoteSettings", cancel);
  session.once("close", cancel);
  return session;
}

const { connect, createServer } = http2;

http2.connect = ((...args: Parameters<typeof connect>) => {
  return limitHandshake(closeLater(connect(...args)));
}) as typeof connect;

http2.createServer = ((options: ServerOptions) => {
  const settings = { ...options.settings, initialWindowSize: WINDOW_BYTES };
  const server = createServer({ ...options, settings });
  server.on("session", (session) => closeLater(session).setLocalWindowSize(WINDOW_BYTES));
  return server;
}) as typeof createServer;
