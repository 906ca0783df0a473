import { reasonsForMaster, reasonsToStay } from "../../core/client/insight/can_stop.ts";
import { memberNamed } from "../../core/client/insight/find.ts";
import { Picture } from "../../core/client/insight/picture.ts";
import type { Context } from "../framework/command.ts";
import { ExitCode } from "../framework/exit_code.ts";
import { jsonLine } from "../framework/io.ts";

/** Prints `yes`, or `no` and why; exit code 0 or 1. */
export async function canStop({ io, args: [name], flags, connect }: Context): Promise<number> {
  const client = await connect();
  const picture = new Picture(await client.ring(), await client.status());
  const { address, reasons } = judge(picture, name!);
  const may = reasons.length === 0;
  if (flags.required("output") === "json") io.out(jsonLine({ address, canStop: may, reasons }));
  else io.out(may ? `yes: ${address} may stop\n` : reasons.map((reason) => `no: ${reason}\n`).join(""));
  return may ? ExitCode.done : ExitCode.notFound;
}

function judge(picture: Picture, name: string): { address: string; reasons: string[] } {
  const address = name.startsWith(":") ? `127.0.0.1${name}` : name;
  if (picture.masters.some((each) => each.address === address)) {
    return { address, reasons: reasonsForMaster(picture, address) };
  }
  const member = memberNamed(picture.ring, name);
  return { address: member.address, reasons: reasonsToStay(picture, member.ref) };
}
