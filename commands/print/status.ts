/** The state of the servers, one line each. */

import type { ServerStatus, SyncSummary } from "../../core/client/api.ts";
import type { SlotStatus } from "../../proto/gen/kv/v1/kv.ts";

/** `master 127.0.0.1:9666 active, ring 4, coordinator connected, up 12 s, kv 0.1.0`, with its line end. */
export function statusText(status: ServerStatus): string {
  const { address, node, standby, reply, error, sync } = status;
  const label = node === undefined ? "" : ` label ${node.label}${node.leaving ? " leaving" : ""}`;
  if (reply === undefined) {
    const role = node !== undefined ? "data" : standby ? "standby" : "server";
    return `${role} ${address}${label} does not answer: ${error?.message}\n`;
  }
  const { role, active, ringVersion, coordinator, uptimeMs, version, slots } = reply;
  const state = role === "data"
    ? label || " no label"
    : role !== "master"
    ? ""
    : active
    ? " active"
    : " waiting";
  const parts = [
    `${role} ${address}${state}`,
    `ring ${ringVersion}`,
    `coordinator ${coordinator}`,
    `up ${duration(uptimeMs)}`,
    `kv ${version}`,
    ...(slots.length === 0 ? [] : [slotsText(slots)]),
    ...(sync === undefined ? [] : syncText(sync)),
  ];
  return `${parts.join(", ")}\n`;
}

/** `2 to 3 copies in sync`: of the slots that it owns; `in sync with 137 slots`: of others. */
function syncText({ owned, copiesLeast, copiesMost, followed }: SyncSummary): string[] {
  const range = copiesLeast === copiesMost ? copiesMost : `${copiesLeast} to ${copiesMost}`;
  const copies = owned === 0 ? [] : [`${range} ${copiesMost === 1 ? "copy" : "copies"} in sync`];
  return [...copies, ...(followed > 0 || owned === 0 ? [`in sync with ${followed} slots of others`] : [])];
}

/** As {@link statusText}, for programs. */
export function statusJson({ address, node, standby, sync, reply, error }: ServerStatus): unknown {
  return {
    address,
    ...(node === undefined ? {} : { label: node.label, node: node.ref }),
    ...(standby ? { standby } : {}),
    ...(sync === undefined ? {} : { sync }),
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
