import { KvError } from "./errors.ts";
import type { Address } from "./ports.ts";

const FORMS = 'an address is HOST:PORT, ":PORT" for 127.0.0.1, "HOST:" for a free port, or "[IPv6]:PORT"';
const DEFAULT_HOST = "127.0.0.1";

export interface HostPort {
  /** A name or an IP address; an IPv6 address without its brackets. */
  readonly host: string;
  /** 0..65535; 0 asks for a free one. */
  readonly port: number;
}

/**
 * Reads an address as people write it and gives its full form: `:9666` is `127.0.0.1:9666`, `HOST:` is `HOST:0`, IPv6
 * addresses stand in brackets.
 *
 * @throws KvError `invalid`
 */
export function parseAddress(text: string): Address {
  return joinAddress(splitAddress(text));
}

/**
 * As {@link parseAddress}, for a server, which tells others to come to this address: one that only means "all addresses
 * of this machine" leads nowhere from another.
 *
 * @throws KvError `invalid`
 */
export function listenAddress(text: string): Address {
  const address = parseAddress(text);
  if (!/^(::ffff:)?[0:.]+$/.test(splitAddress(address).host)) return address;
  throw new KvError(
    "invalid",
    `address "${text}" means all addresses of this machine, and others are told to come to it: ` +
      "give the one that they reach this machine at",
  );
}

/** Reads a list such as `:9666,127.0.0.1:9667`; at least one, each once. */
export function parseAddresses(text: string): Address[] {
  const addresses = text.split(",").map((part) => parseAddress(part.trim()));
  return [...new Set(addresses)];
}

/** The two halves of an address in any form that {@link parseAddress} takes. */
export function splitAddress(text: string): HostPort {
  const colon = text.lastIndexOf(":");
  if (colon < 0) {
    const hint = /^\d+$/.test(text) ? `; for the port ${text} of this machine write ":${text}"` : "";
    throw invalid(text, `has no ":"${hint}`);
  }
  return { host: parseHost(text, text.slice(0, colon)), port: parsePort(text, text.slice(colon + 1)) };
}

/** The inverse of {@link splitAddress}, with IPv6 hosts in brackets. */
export function joinAddress({ host, port }: HostPort): Address {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseHost(text: string, host: string): string {
  if (host === "") return DEFAULT_HOST;
  if (host.startsWith("[") && host.endsWith("]")) {
    const inner = host.slice(1, -1);
    if (!/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(inner)) {
      throw invalid(text, "has no IPv6 address in its brackets");
    }
    return inner.toLowerCase();
  }
  if (host.includes(":")) throw invalid(text, "has more than one colon; an IPv6 address stands in brackets");
  if (/^[\d.]+$/.test(host)) {
    const parts = host.split(".");
    const good = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
    if (!good) throw invalid(text, `has the host "${host}", which is no IPv4 address`);
  } else if (!/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/.test(host)) {
    throw invalid(text, `has the host "${host}", which is no name`);
  }
  return host;
}

function parsePort(text: string, port: string): number {
  if (port === "") return 0;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw invalid(text, `has the port "${port}"; ports go from 0 to 65535`);
  }
  return Number(port);
}

function invalid(text: string, what: string): KvError {
  return new KvError("invalid", `address "${text}" ${what}; ${FORMS}`);
}
