/** The state of the servers, one line each, with a line for each that copies its slots; and the verdict. */

import type { ServerStatus, SyncSummary } from "../../core/client/api.ts";
import type { Verdict } from "../../core/client/insight/verdict.ts";
import type { FollowerStatus, SlotStatus, TransferStatus } from "../../proto/gen/kv/v1/kv.ts";
import { duration, size } from "./units.ts";

/** `master 127.0.0.1:9666 active, ring 4, coordinator connected, up 12 s, kv 0.1.0`, with its line end. */
export function statusText(status: ServerStatus): string {
  const { address, node, standby, reply, error, sync } = status;
  const label = node === undefined ? "" : ` label ${node.label}${node.leaving ? " leaving" : ""}`;
  if (reply === undefined) {
    const role = node !== undefined ? "data" : standby ? "standby" : "server";
    return `${role} ${address}${label} does not answer: ${error?.message}\n`;
  }
  const { role, active, ringVersion, coordinator, uptimeMs, version, slots, followers } = reply;
  const state = role === "data"
    ? label || " no label"
    : role !== "master"
    ? ""
    : active
    ? " active"
    : reply.halted !== ""
    ? " halted"
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
  return `${parts.join(", ")}\n${followers.map(followerText).join("")}`;
}

/** `healthy`, or what is wrong and what to do, a line for each; with line ends. */
export function verdictText({ state, problems }: Verdict): string {
  if (problems.length === 0) return `verdict: ${state}\n`;
  const [worst, ...others] = problems.map(({ what, todo }) => `${what}; ${todo}\n`);
  return `verdict: ${state}: ${worst}${others.map((text) => `  also: ${text}`).join("")}`;
}

/** `  copied by 127.0.0.1:9801: 136 of 137 slots in sync, behind by 12 records; ...`, with its line end. */
function followerText({ address, slots, inSync, lag, transfer }: FollowerStatus): string {
  const behind = lag === 0 ? "" : `, behind by ${lag} ${lag === 1 ? "record" : "records"}`;
  const transferring = transfer === undefined ? "" : `; ${transferText(transfer)}`;
  return `  copied by ${address}: ${inSync} of ${slots} slots in sync${behind}${transferring}\n`;
}

function transferText({ slots, bytesSent, bytesLeft, bytesPerSecond }: TransferStatus): string {
  const left = bytesPerSecond > 0 ? `, ${duration(1000 * bytesLeft / bytesPerSecond)} to go` : "";
  return `${slots} on the way: ${size(bytesSent)} sent, ${size(bytesLeft)} left, ` +
    `${size(bytesPerSecond)}/s${left}`;
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
  const position = slots.reduce((sum, slot) => sum + slot.lastLsn, 0);
  return `${serving} of ${slots.length} slots served${why}, ${keys} ${keys === 1 ? "key" : "keys"}, ${
    size(bytes)
  }, log at ${position}`;
}
