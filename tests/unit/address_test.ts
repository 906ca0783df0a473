import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  joinAddress,
  listenAddress,
  parseAddress,
  parseAddresses,
  splitAddress,
} from "../../core/platform/address.ts";
import { KvError } from "../../core/platform/errors.ts";

const READ: readonly (readonly [string, string])[] = [
  [":9666", "127.0.0.1:9666"],
  ["127.0.0.1:", "127.0.0.1:0"],
  [":", "127.0.0.1:0"],
  ["127.0.0.1:9666", "127.0.0.1:9666"],
  ["0.0.0.0:1", "0.0.0.0:1"],
  ["db-1.example.org:65535", "db-1.example.org:65535"],
  ["localhost:0", "localhost:0"],
  ["[::1]:9666", "[::1]:9666"],
  ["[FE80::1]:", "[fe80::1]:0"],
];

const REFUSED: readonly (readonly [string, string])[] = [
  ["", 'has no ":"'],
  ["9666", 'write ":9666"'],
  ["localhost", 'has no ":"'],
  [":65536", "ports go from 0 to 65535"],
  [":http", 'has the port "http"'],
  [":-1", 'has the port "-1"'],
  ["::1:9666", "an IPv6 address stands in brackets"],
  ["[localhost]:1", "has no IPv6 address in its brackets"],
  ["[]:1", "has no IPv6 address in its brackets"],
  ["1.2.3:4", "which is no IPv4 address"],
  ["1.2.3.256:4", "which is no IPv4 address"],
  ["a b:1", 'has the host "a b"'],
  ["-a:1", 'has the host "-a"'],
];

Deno.test("address: every form that people write", () => {
  for (const [text, full] of READ) {
    assertEquals(parseAddress(text), full);
    assertEquals(parseAddress(full), full);
    assertEquals(joinAddress(splitAddress(full)), full);
  }
});

Deno.test("address: what is none is refused with the value and the forms", () => {
  for (const [text, part] of REFUSED) {
    const error = assertThrows(() => parseAddress(text), KvError, part);
    assertEquals(error.code, "invalid");
    assertStringIncludes(error.message, `"${text}"`);
    assertStringIncludes(error.message, "HOST:PORT");
  }
});

Deno.test("address: a list, each once, blanks allowed", () => {
  assertEquals(parseAddresses(":9666, 127.0.0.1:9667,127.0.0.1:9666"), ["127.0.0.1:9666", "127.0.0.1:9667"]);
  assertThrows(() => parseAddresses(":1,"), KvError, 'address ""');
});

Deno.test("address: an IPv6 host has no brackets once it is split", () => {
  assertEquals(splitAddress("[::1]:7"), { host: "::1", port: 7 });
  assert(!splitAddress("[::1]:7").host.startsWith("["));
});

Deno.test("a server's address is one that others can come to", () => {
  for (
    const text of ["0.0.0.0:9666", "000.0.0.0:1", "[::]:9666", "[0:0:0:0:0:0:0:0]:1", "[::ffff:0.0.0.0]:1"]
  ) {
    assertThrows(() => listenAddress(text), KvError, "means all addresses of this machine");
  }
  for (const text of ["127.0.0.1:0", "10.0.0.10:9666", "[::1]:9666", "[fe80::]:1", "host:1"]) {
    assertEquals(listenAddress(text), text);
  }
});
