import { assertEquals } from "@std/assert";
import { Copy } from "../sim/invariants/copy.ts";
import { checkLog } from "../sim/invariants/logs.ts";
import { SlotTruth } from "../sim/invariants/truth.ts";
import type { LogView } from "../sim/invariants/view.ts";

const EMPTY: LogView = {
  lastLsn: 0,
  lastEpoch: 0,
  durableLsn: 0,
  committedLsn: 0,
  digest: 0,
  blurredThroughLsn: 0,
  damage: undefined,
  tail: [],
};

Deno.test("invariants: a power loss takes back a snapshot of a later lineage, and only that lineage is gone through", () => {
  const truth = new SlotTruth();
  truth.forced(1);
  let withdrawn = 0;
  truth.withdraw = () => void withdrawn++;
  const copy = new Copy("n1", 3);
  const look = (incarnation: number, log: LogView) =>
    checkLog(
      copy,
      { id: "n1", incarnation },
      { log, highestEpoch: 1, notBeforeMs: 0, owner: undefined },
      {
        truth,
        entry: () => undefined,
        violated: (what) => {
          throw new Error(what);
        },
        count: () => {},
      },
      false,
    );
  const record = {
    kind: 1,
    slot: 3,
    epoch: 1,
    lsn: 1_000_000_004,
    key: "k",
    hash: 0,
    value: new Uint8Array(),
    clientId: "",
    sequence: 0,
    lowestUnfinished: 0,
    outcome: 1,
  };
  look(1, { ...EMPTY, lastLsn: record.lsn, lastEpoch: 1, incomplete: true, tail: [record] });
  look(2, EMPTY);
  assertEquals(withdrawn, 4);
});
