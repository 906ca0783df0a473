import type { Socket } from "node:net";

/**
 * What is written to the socket in one turn of the event loop leaves in one system call. HTTP/2 writes headers, data and
 * trailers of every call by themselves, and each write costs a system call here and wakes the other side.
 */
export function joinWrites<S extends Socket>(socket: S): S {
  const write = socket.write.bind(socket);
  let joining = false;
  socket.write = ((...args: Parameters<typeof write>) => {
    if (!joining) {
      joining = true;
      socket.cork();
      setImmediate(() => {
        joining = false;
        socket.uncork();
      });
    }
    return write(...args);
  }) as typeof write;
  return socket;
}
