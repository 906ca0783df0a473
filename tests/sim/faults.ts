import { AIMED_FAULTS } from "./faults/aimed.ts";
import { CLIENT_FAULTS } from "./faults/clients.ts";
import { COORDINATOR_FAULTS } from "./faults/coordinator.ts";
import { DISK_FAULTS } from "./faults/disk.ts";
import type { Fault } from "./faults/fault.ts";
import { MEMBERSHIP_FAULTS } from "./faults/membership.ts";
import { NETWORK_FAULTS } from "./faults/network.ts";
import { OPERATOR_FAULTS } from "./faults/operator.ts";
import { PROCESS_FAULTS } from "./faults/process.ts";

/** All kinds of trouble that a run may have. */
export const FAULTS: readonly Fault[] = [
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...COORDINATOR_FAULTS,
  ...DISK_FAULTS,
  ...MEMBERSHIP_FAULTS,
  ...AIMED_FAULTS,
  ...OPERATOR_FAULTS,
  ...CLIENT_FAULTS,
];
