import { type Flag, outputFlag } from "../../framework/command.ts";
import { DEFAULT_MIX } from "./mix.ts";

export const checkFlags: readonly Flag[] = [
  {
    name: "rate",
    kind: "integer",
    min: 1,
    max: 100_000,
    placeholder: "N",
    default: "500",
    description: "check: operations a second, by all clients together",
  },
  {
    name: "clients",
    kind: "integer",
    min: 1,
    max: 1000,
    placeholder: "N",
    default: "8",
    description: "check: clients, each with connections of its own",
  },
  {
    name: "keys",
    kind: "integer",
    min: 1,
    max: 1_000_000,
    placeholder: "N",
    default: "1000",
    description: "check: keys; the fewer, the more operations meet on one",
  },
  {
    name: "mix",
    kind: "text",
    placeholder: "WEIGHTS",
    default: DEFAULT_MIX,
    description: "check: how often each kind of operation comes; -if are the conditional ones",
  },
  {
    name: "history",
    kind: "text",
    placeholder: "FILE",
    description: "check: keep the history there, one operation on a line",
  },
  {
    name: "verify",
    kind: "text",
    placeholder: "FILE",
    description: "check: check a kept history; asks no cluster",
  },
  { name: "keep", kind: "boolean", description: "check: leave the run's keys, check-..., in the cluster" },
  { ...outputFlag, description: "check: form of the verdict" },
];
