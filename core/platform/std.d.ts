// The Deno standard library as published on npm carries no types; these are the few functions used here.
// With `jsr:` specifiers in deno.json this file is not needed.

declare module "@std/yaml" {
  export function parse(text: string): unknown;
}

declare module "@std/assert" {
  type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
  export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertThrows<E extends Error>(
    fn: () => unknown,
    errorClass: ErrorClass<E>,
    includes?: string,
  ): E;
  export function assertThrows(fn: () => unknown, message?: string): unknown;
  export function assertRejects<E extends Error>(
    fn: () => PromiseLike<unknown>,
    errorClass: ErrorClass<E>,
    includes?: string,
  ): Promise<E>;
  export function assertRejects(fn: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
  export function fail(message?: string): never;
}

declare module "@std/cli" {
  export interface ParseArgsOptions {
    boolean?: string[];
    string?: string[];
    collect?: string[];
    alias?: Record<string, string>;
    default?: Record<string, unknown>;
    stopEarly?: boolean;
    "--"?: boolean;
    unknown?: (argument: string, key?: string, value?: unknown) => unknown;
  }
  export function parseArgs(
    args: string[],
    options?: ParseArgsOptions,
  ): Record<string, unknown> & { _: (string | number)[]; "--"?: string[] };
}
