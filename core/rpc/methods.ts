/** The remote methods as the transport port wants them, made from the generated service definitions. */

import type { Method } from "../platform/ports.ts";
import { HealthDefinition } from "../../proto/gen/grpc/health/v1/health.ts";
import { AdminDefinition } from "../../proto/gen/kv/v1/admin.ts";
import { ClusterDefinition } from "../../proto/gen/kv/v1/cluster.ts";
import { KVDefinition, RoutingDefinition } from "../../proto/gen/kv/v1/kv.ts";

interface Codec<M> {
  encode(message: M): { finish(): Uint8Array };
  decode(bytes: Uint8Array): M;
}

interface MethodDefinition {
  readonly name: string;
  readonly requestType: Codec<unknown>;
  readonly requestStream: boolean;
  readonly responseType: Codec<unknown>;
  readonly responseStream: boolean;
}

interface ServiceDefinition {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

type MessageOf<C> = C extends { decode(bytes: Uint8Array): infer M } ? M : never;

type MethodsOf<S extends ServiceDefinition> = {
  readonly [N in keyof S["methods"]]: Method<
    MessageOf<S["methods"][N]["requestType"]>,
    MessageOf<S["methods"][N]["responseType"]>
  >;
};

function methodsOf<S extends ServiceDefinition>(service: S): MethodsOf<S> {
  const methods = Object.entries(service.methods).map(([key, definition]) => {
    const { requestType: request, responseType: reply } = definition;
    const method: Method<unknown, unknown> = {
      path: `/${service.fullName}/${definition.name}`,
      requestStream: definition.requestStream,
      responseStream: definition.responseStream,
      encodeRequest: (message) => request.encode(message).finish(),
      decodeRequest: (bytes) => request.decode(bytes),
      encodeReply: (message) => reply.encode(message).finish(),
      decodeReply: (bytes) => reply.decode(bytes),
    };
    return [key, method];
  });
  return Object.fromEntries(methods) as MethodsOf<S>;
}

export const kv = methodsOf(KVDefinition);
export const routing = methodsOf(RoutingDefinition);
export const admin = methodsOf(AdminDefinition);
export const cluster = methodsOf(ClusterDefinition);
export const health = methodsOf(HealthDefinition);
