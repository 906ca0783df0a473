import { assertEquals } from "@std/assert";
import { CatchingUp } from "../../core/replication/catching_up.ts";
import { TestClock } from "./storage_world.ts";

Deno.test("catching up: sums up what all owners send, tells now and then, and when all has come", () => {
  const clock = new TestClock();
  const lines: unknown[] = [];
  const catching = new CatchingUp(clock, (_, message, fields) => lines.push([message, fields]));
  const transfer = (slots: number, bytesSent: number, bytesLeft: number) => ({
    ...{ slots, bytesSent, bytesLeft, bytesPerSecond: 100 },
  });
  catching.heard("idle", undefined);
  catching.heard("a", transfer(10, 100, 900));
  clock.advance(500);
  catching.heard("b", transfer(5, 100, 400));
  clock.advance(1500);
  catching.heard("a", transfer(6, 500, 500));
  catching.lost("b");
  clock.advance(2000);
  catching.heard("a", transfer(1, 900, 100));
  catching.heard("b", undefined);
  catching.heard("a", undefined);
  catching.heard("a", undefined);
  assertEquals(lines, [
    ["catching up", { slotsLeft: 11, bytes: 600, bytesLeft: 900, secondsToGo: 4.5 }],
    ["catching up", { slotsLeft: 1, bytes: 1000, bytesLeft: 100, secondsToGo: 1 }],
    ["caught up: the log alone is followed now", { bytes: 1000, seconds: 4 }],
  ]);
});
