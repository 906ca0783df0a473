import { status as Status } from "@grpc/grpc-js";
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../proto/gen/grpc/health/v1/health.ts";
import type { Cancel, Incoming, Outgoing, Services } from "../platform/ports.ts";
import { PlainStatus } from "./errors.ts";
import { health } from "./methods.ts";

/** Whether a server serves, and who wants to know when that changes. */
export class HealthState {
  #serving = false;
  readonly #listeners = new Set<() => void>();

  get serving(): boolean {
    return this.#serving;
  }

  set(serving: boolean): void {
    if (serving === this.#serving) return;
    this.#serving = serving;
    for (const listener of [...this.#listeners]) listener();
  }

  onChange(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/**
 * Binds the standard health service (grpc.health.v1). The server as a whole is the service ""; no other is known, which
 * `Check` answers with NOT_FOUND and `Watch` with SERVICE_UNKNOWN, as the standard wants.
 */
export function bindHealth(services: Services, state: HealthState): void {
  services.unary(health.check, ({ service }) => {
    if (service !== "") throw new PlainStatus(Status.NOT_FOUND, `no service "${service}" here; ask for ""`);
    return response(state, service);
  });
  services.stream(health.watch, (outgoing) => new HealthWatch(state, outgoing));
}

function response(state: HealthState, service: string): HealthCheckResponse {
  if (service !== "") return { status: ServingStatus.SERVICE_UNKNOWN };
  return { status: state.serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING };
}

class HealthWatch implements Incoming<HealthCheckRequest> {
  #stop: Cancel = () => {};

  constructor(
    private readonly state: HealthState,
    private readonly outgoing: Outgoing<HealthCheckResponse>,
  ) {}

  message({ service }: HealthCheckRequest): void {
    this.#stop();
    const send = () => void this.outgoing.send(response(this.state, service));
    this.#stop = this.state.onChange(send);
    send();
  }

  closed(): void {
    this.#stop();
  }
}
