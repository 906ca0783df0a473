import type { NodeRef } from "../ring/ring.ts";

/** What a process writes into its ephemeral node, and what the master adds to it. */
export interface Registration {
  readonly ref: NodeRef;
  /** The seat; written by the master once the ring has it. */
  readonly label?: number | undefined;
  /** Why the master does not take the node in; it must give up. */
  readonly refused?: string | undefined;
}

/** A registration as found in the coordinator. */
export interface Registered extends Registration {
  readonly address: string;
  readonly path: string;
  /** Version of the ephemeral node. */
  readonly version: number;
}

/** The text of the ephemeral node. */
export function formatRegistration({ ref, label, refused }: Registration): string {
  return JSON.stringify({ id: ref.id, incarnation: ref.incarnation, label, refused });
}

/** Undefined when the text is not a registration. */
export function parseRegistration(text: string): Registration | undefined {
  try {
    const { id, incarnation, label, refused } = JSON.parse(text);
    if (typeof id !== "string" || !Number.isSafeInteger(incarnation)) return undefined;
    return {
      ref: { id, incarnation },
      label: Number.isSafeInteger(label) ? label : undefined,
      refused: typeof refused === "string" ? refused : undefined,
    };
  } catch {
    return undefined;
  }
}
