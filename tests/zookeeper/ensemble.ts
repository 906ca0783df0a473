import { Ensemble, isFree } from "../../scripts/zk_ensemble.ts";

/** Starts an ensemble on free ports in a folder of its own; disposing ends it and removes the folder. */
export async function temporaryEnsemble(nodes = 3): Promise<Ensemble & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "kv-zookeeper-" });
  const ensemble = Ensemble.findOrMake(folder, { nodes, basePort: freeBasePort(nodes) });
  const dispose = async () => {
    await ensemble.stop();
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await ensemble.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return Object.assign(ensemble, { [Symbol.asyncDispose]: dispose });
}

/** Drawn at random, so that several test runs on one machine seldom meet. */
function freeBasePort(nodes: number): number {
  for (;;) {
    const base = 10_000 + 10 * Math.floor(Math.random() * 2000);
    const ports = Array.from({ length: nodes }, (_, i) => [0, 1, 2].map((beside) => base + 100 * i + beside));
    if (ports.flat().every(isFree)) return base;
  }
}
