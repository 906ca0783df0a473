import { CoordinatorError, type Operation } from "./coordinator.ts";

/**
 * Data of one node, in bytes of UTF-8. ZooKeeper drops the connection of a client that sends more than 1 MB, again at
 * each retry; a quarter of that leaves room for transactions.
 */
export const NODE_BYTES_MAX = 256 * 1024;

const encoder = new TextEncoder();

/** The folder above: `/kv` of `/kv/ring`, `/` of `/kv`. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

/** The name of `name` below `parent`. */
export function childPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** Throws `bad-arguments` unless `path` is absolute, without empty, `.` or `..` parts and control characters. */
export function checkPath(path: string): void {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  const wellFormed = /^(\/|(\/[^/\u0000-\u001f\u007f-\u009f]+)+)$/.test(path);
  if (!wellFormed || path.split("/").some((part) => part === "." || part === "..")) {
    throw new CoordinatorError("bad-arguments", path, "not a path like /a/b of printable names");
  }
}

/** Throws `bad-arguments` or `too-large` for a step that no implementation would carry out alike. */
export function checkOperation(operation: Operation): void {
  checkPath(operation.path);
  if ("data" in operation) {
    const sizeBytes = encoder.encode(operation.data).length;
    if (sizeBytes > NODE_BYTES_MAX) {
      const message = `data of ${sizeBytes} bytes is above the limit of ${NODE_BYTES_MAX} for one node`;
      throw new CoordinatorError("too-large", operation.path, message);
    }
  }
  if ("version" in operation && operation.version !== undefined) {
    if (!Number.isInteger(operation.version) || operation.version < 0) {
      const message = `version ${operation.version} was never read; name one that was`;
      throw new CoordinatorError("bad-arguments", operation.path, message);
    }
  }
}

/**
 * As {@link checkOperation} for each step, and refuses version 0: ZooKeeper's client library takes it for "any
 * version" inside a transaction. Write a node once more after creating it before comparing its version; in the very
 * transaction that creates it that is safe, for there it can have no other version.
 */
export function checkTransaction(operations: readonly Operation[]): void {
  const created = new Set<string>();
  for (const operation of operations) {
    checkOperation(operation);
    if (operation.kind === "create") created.add(operation.path);
    if ("version" in operation && operation.version === 0 && !created.has(operation.path)) {
      const message = "version 0 cannot be compared in a transaction; write the node once after creating it";
      throw new CoordinatorError("bad-arguments", operation.path, message);
    }
  }
}
