/** `kv bench check` against a running cluster. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { TempFolder } from "./harness/folder.ts";
import { KvProcess, runKv } from "./harness/process.ts";

Deno.test("kv bench check", async (t) => {
  await using folder = await TempFolder.make();
  await using up = new KvProcess(["up", "--addr", "127.0.0.1:", "--dir", `${folder.path}/cluster`]);
  const addr = await up.ready("master");
  await up.errorLine(/^kv is ready/);
  const check = (...args: string[]) =>
    runKv(["bench", "check", "--addr", addr, "--seconds", "2", "--rate", "300", ...args]);

  await t.step("two runs at once both pass, on keys of their own, and leave nothing", async () => {
    const history = `${folder.path}/run.jsonl`;
    const [first, second] = await Promise.all([
      check("--keys", "200", "--output", "json", "--history", history),
      check("--keys", "20", "--clients", "3"),
    ]);
    assertEquals(first.code, 0, first.err);
    assertEquals(second.code, 0, second.err);
    assertMatch(second.out, /\nlinearizable: yes\nverdict: passed\n$/);
    const verdict = JSON.parse(first.out);
    assertEquals([verdict.verdict, verdict.keys, verdict.unread, verdict.lost], ["passed", 200, 0, 0]);
    assert(verdict.operations > 400, first.out);
    const verified = await runKv(["bench", "check", "--verify", history, "--output", "json"]);
    assertEquals([verified.code, JSON.parse(verified.out)], [0, verdict], verified.err);
    assertEquals((await runKv(["dump", "--addr", addr])).out.match(/key: check-/g), null);
  });

  await t.step("a signal ends the load early, and there is a verdict", async () => {
    await using run = new KvProcess(["bench", "check", "--addr", addr, "--seconds", "600", "--keys", "20"]);
    await run.errorLine(/^2 s: /);
    run.signal("SIGINT");
    assertEquals(await run.ended(), 0, run.err);
    assertMatch(run.out, /\nverdict: passed\n$/);
  });

  await t.step("nobody answers: exit code 3", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const nobody = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
    listener.close();
    const { code, out } = await runKv(["bench", "check", "--addr", nobody, "--timeout-ms", "700"]);
    assertEquals([code, out], [3, ""]);
  });

  await t.step("a history with a lost write: exit code 1, and the operations that show it", async () => {
    const history = `${folder.path}/lost.jsonl`;
    await Deno.writeTextFile(
      history,
      `{"client":"c1","key":"a","request":"put","value":"1","answer":"written","version":1,"existed":false,"callUs":0,"returnUs":9}
{"client":"c2","key":"a","request":"get","answer":"absent","callUs":20,"returnUs":29}
`,
    );
    const { code, out } = await runKv(["bench", "check", "--verify", history]);
    assertEquals(code, 1);
    assertMatch(out, /\nlost: key a: .*\n {2}\[0\.\.9\] c1 put 1 .*\n {2}\[20\.\.29\] c2 get -> absent\n/);
    assertMatch(out, /\nlinearizable: no\nverdict: violated\n$/);
  });
});
