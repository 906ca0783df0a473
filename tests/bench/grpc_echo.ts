/** Unary calls of grpc-js with nothing around them: what the library alone costs, between two processes. */

import { Client, credentials, Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { Buffer } from "node:buffer";

const PATH = "/echo.Echo/Get";
const TIMEOUT_MS = 5000;
const same = (bytes: Buffer): Buffer => bytes;

export interface Echo extends AsyncDisposable {
  readonly pid: number;
  call(request: Uint8Array): Promise<Uint8Array>;
}

/** Starts the server in a process of its own. */
export async function startEcho(replyBytes: number): Promise<Echo> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--quiet", import.meta.filename!, String(replyBytes)],
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const address = (await lines.read()).value!.trim();
  const client = new Client(address, credentials.createInsecure(), { "grpc.enable_channelz": 0 });
  return {
    pid: child.pid,
    call: (request) =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.from(request.buffer, request.byteOffset, request.byteLength);
        const options = { deadline: Date.now() + TIMEOUT_MS };
        client.makeUnaryRequest<Buffer, Buffer>(
          PATH,
          same,
          same,
          bytes,
          new Metadata(),
          options,
          (error, reply) => {
            if (error) reject(error);
            else resolve(reply!);
          },
        );
      }),
    async [Symbol.asyncDispose]() {
      client.close();
      child.kill();
      await lines.cancel();
      await child.status;
    },
  };
}

function serve(replyBytes: number): void {
  const reply = Buffer.alloc(replyBytes, 0x76);
  const server = new Server({ "grpc.enable_channelz": 0 });
  // deno-lint-ignore no-explicit-any -- the library's handler type does not tell unary from stream
  const answer: any = (_call: unknown, done: (error: null, reply: Buffer) => void) => done(null, reply);
  server.register(PATH, answer, same, same, "unary");
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(`127.0.0.1:${port}`);
  });
}

if (import.meta.main) serve(Number(Deno.args[0]));
