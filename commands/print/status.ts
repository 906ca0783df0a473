/** The state of the servers, one line each. */

import type { ServerStatus } from "../../core/client/api.ts";
import type { SlotStatus } from "../../proto/gen/kv/v1/kv.ts";

/** `master 127.0.0.1:9666 active, ring 4, coordinator connected, up 12 s, kv 0.1.0`, with its line end. */
export function statusText(status: ServerStatus): string {
  const { address, node, reply, error } = status;
  const label = node === undefined ? "" : ` label ${node.label}`;
  if (reply === undefined) {
    return `${
      node === undefined ? "server" : "data"
    } ${address}${label} does not answer: ${error?.message}\n`;
  }
  const { role, active, ringVersion, coordinator, uptimeMs, version, slots } = reply;
  const state = role !== "master" ? label || " no label" : active ? " active" : " waiting";
  const common = `ring ${ringVersion}, coordinator ${coordinator}, up ${duration(uptimeMs)}, kv ${version}`;
  return `${role} ${address}${state}, ${common}${slots.length === 0 ? "" : `, ${slotsText(slots)}`}\n`;
}

/** As {@link statusText}, for programs. */
export function statusJson({ address, node, reply, error }: ServerStatus): unknown {
  return {
    address,
    ...(node === undefined ? {} : { label: node.label, node: node.ref }),
    ...(reply === undefined ? {} : { reply }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  };
}

function slotsText(slots: readonly SlotStatus[]): string {
  const serving = slots.filter((slot) => slot.serving).length;
  const keys = slots.reduce((sum, slot) => sum + slot.keys, 0);
  const bytes = slots.reduce((sum, slot) => sum + slot.bytes, 0);
  const reasons = [...new Set(slots.filter((slot) => !slot.serving).map((slot) => slot.reason))];
  const why = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
  return `${serving} of ${slots.length} slots served${why}, ${keys} keys, ${bytes} bytes`;
}

/** In the largest unit that leaves a number of at least 1: `12 s`, `3 h`. */
export function duration(ms: number): string {
  const units = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]] as const;
  const [name, size] = units.find(([, size]) => ms >= size) ?? ["ms", 1];
  return `${Math.floor(ms / size)} ${name}`;
}
