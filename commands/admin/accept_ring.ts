import { memberNamed } from "../../core/client/insight/find.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { Context } from "../framework/command.ts";
import { ExitCode } from "../framework/exit_code.ts";
import { jsonLine } from "../framework/io.ts";
import { confirmed } from "./confirm.ts";

/** After the coordinator went back in time: the newest ring that the nodes know takes the place of its own. */
export async function acceptRing(context: Context): Promise<number> {
  const { io, args: [name], flags, connect } = context;
  const client = await connect();
  const from = name === undefined ? undefined : memberNamed(await client.ring(), name);
  const halted = (await client.status()).find(({ reply }) => (reply?.halted ?? "") !== "");
  if (halted === undefined) {
    throw new KvError(
      "refused",
      "none of the masters that --addr names has stopped to write because of its ring: nothing is to be accepted",
    );
  }
  const whose = from === undefined ? "the newest that any node answers with" : `that of ${from.address}`;
  const explanation = [
    `master ${halted.address} writes nothing: ${halted.reply!.halted}`,
    `The coordinator's ring is to be replaced by ${whose}.`,
    "Start all nodes that can be started before: one that is missing may know a newer ring, and what it knows of",
    "owners and copies in sync would be lost, and with that perhaps acknowledged writes.",
  ].join("\n");
  if (!await confirmed(context, explanation)) return ExitCode.notFound;
  const { version } = await client.admin.acceptRing(from?.ref);
  io.out(
    flags.required("output") === "json" ? jsonLine({ ring: version }) : `accepted, as ring ${version}\n`,
  );
  return ExitCode.done;
}
