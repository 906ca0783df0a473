import type { Stage, Story } from "./stage.ts";

/** Its slot, 4, is one of those that the second seat gets. */
const KEY = "b";

/** The masters, the data nodes one after the other, the standbys, and a first write. */
async function standing(stage: Stage): Promise<void> {
  const { masters, dataNodes, standbys, rings } = stage.cluster;
  stage.scene("the cluster starts");
  for (const { name } of masters) {
    stage.start(name);
    await stage.until(`${name} runs`, () => stage.machine(name).ready);
    await stage.pass(500);
  }
  for (const { name } of dataNodes) {
    stage.start(name);
    await stage.until(`${name} is ready`, () => stage.machine(name).ready);
  }
  await stage.put(KEY, "1");
  for (const { name } of standbys) {
    stage.start(name);
    await stage.until(
      `${name} is in sync everywhere`,
      () => rings.ring?.slots.every((_, slot) => stage.inSync(slot).includes(name)) ?? false,
    );
  }
  await stage.pass(1000);
}

const joinOfAStandby: Story = {
  name: "join_of_a_standby",
  about:
    "A standby comes to a cluster with data, copies it while a client writes, and is in sync before a write ends.",
  standbys: 1,
  script: async (stage) => {
    await standing(stage);
    stage.scene("a write, which both copies have before it is answered");
    await stage.put(KEY, "2");
    await stage.pass(500);
  },
};

const ownerKilled: Story = {
  name: "owner_killed",
  about: "A data node dies; the standby takes its slots and its seat, and has what was acknowledged.",
  script: async (stage) => {
    await standing(stage);
    const owner = stage.ownerOf(KEY);
    stage.scene(`${owner.name}, the owner, is killed`);
    owner.kill("process");
    await stage.get(KEY);
    await stage.put(KEY, "2");
    await stage.pass(3000);
  },
};

const zombieWrite: Story = {
  name: "owner_paused_and_zombie_write",
  about:
    "An owner stands still until another has its slots, and goes on with a write that it had received before.",
  script: async (stage) => {
    await standing(stage);
    const owner = stage.ownerOf(KEY);
    stage.scene(`${owner.name}, the owner, stands still with a write on its way to it`);
    void stage.ask(KEY, { kind: "put", value: "2" });
    owner.pause();
    await stage.until("another owns the slot", () => stage.ownerOf(KEY) !== owner);
    stage.scene("the new owner is asked");
    await stage.get(KEY);
    stage.scene(`${owner.name} goes on`);
    owner.resume();
    await stage.pass(3000);
    await stage.get(KEY);
  },
};

const masterChanged: Story = {
  name: "master_changed_in_a_promotion",
  about: "The active master dies right after it has written a promotion, before it could tell anybody.",
  script: async (stage) => {
    await standing(stage);
    const owner = stage.ownerOf(KEY);
    const { rings, masters, scheduler } = stage.cluster;
    const slot = stage.cluster.slotOf(KEY);
    const end = rings.onWrite((ring, before) => {
      if (before?.slots[slot]?.epoch === ring.slots[slot]?.epoch) return;
      end();
      const writer = masters.find(({ program }) => program?.active)!;
      // Not from within the write: the process that is killed is the one that the event belongs to.
      scheduler.after(0, () => {
        stage.scene(`${writer.name}, which wrote ring ${ring.version}, is killed at once`);
        writer.kill("process");
      });
    });
    stage.scene(`${owner.name}, the owner, is killed`);
    owner.kill("process");
    await stage.put(KEY, "2");
    await stage.pass(6000);
  },
};

const slowStandby: Story = {
  name: "standby_slow",
  about:
    "A standby that does not acknowledge holds writes up for a second at most, and comes back by itself.",
  script: async (stage) => {
    await standing(stage);
    const owner = stage.ownerOf(KEY);
    stage.scene("nothing arrives at standby1 any more");
    for (const { name } of stage.cluster.nodes) {
      if (name !== "standby1") stage.cluster.network.cut(name, "standby1");
    }
    await stage.put(KEY, "2");
    await stage.pass(2000);
    stage.scene("the network is well again");
    stage.cluster.network.healAll();
    await stage.until(
      "standby1 is back in sync",
      () => stage.inSync(stage.cluster.slotOf(KEY)).includes("standby1"),
    );
    await stage.put(KEY, "3");
    await stage.pass(500);
    stage.recorder.write(`still the owner: ${stage.ownerOf(KEY) === owner}`);
  },
};

const ownerBack: Story = {
  name: "owner_back",
  about: "A data node whose slots were given away comes back with a write in its log that nobody else has.",
  script: async (stage) => {
    await standing(stage);
    const owner = stage.ownerOf(KEY);
    stage.scene(`${owner.name}, the owner, appends a write that cannot leave it, and is killed`);
    for (const { name } of stage.cluster.nodes) {
      if (name !== owner.name) stage.cluster.network.cut(owner.name, name);
    }
    void stage.ask(KEY, { kind: "put", value: "2" });
    await stage.pass(100);
    owner.kill("power");
    stage.cluster.network.healAll();
    await stage.until("another owns the slot", () => {
      const id = stage.cluster.rings.ring?.slots[stage.cluster.slotOf(KEY)]?.owner?.id;
      return stage.cluster.machineOf(id)?.alive ?? false;
    });
    await stage.get(KEY);
    stage.scene(`${owner.name} comes back`);
    owner.start();
    await stage.pass(6000);
    await stage.get(KEY);
  },
};

const restart: Story = {
  name: "owner_restarted",
  about: "An owner restarts before anybody is promoted: its slots are listed again, in higher epochs.",
  script: async (stage) => {
    await standing(stage);
    const owner = stage.ownerOf(KEY);
    stage.scene(`${owner.name}, the owner, is killed and started again at once`);
    owner.kill("process");
    owner.start();
    await stage.put(KEY, "2");
    await stage.pass(3000);
  },
};

const ownerForced: Story = {
  name: "owner_forced",
  about:
    "The only node with a write is lost; an operator gives its slots to one without it. Then it comes back.",
  masters: 1,
  standbys: 1,
  script: async (stage) => {
    await standing(stage);
    const owner = stage.ownerOf(KEY);
    stage.scene("a write that the standby, out of reach, does not get");
    stage.cluster.network.cut(owner.name, "standby1");
    stage.cluster.network.cut("standby1", owner.name);
    await stage.put(KEY, "2");
    stage.scene(`${owner.name}, the owner, loses its power`);
    owner.kill("power");
    stage.cluster.network.healAll();
    await stage.pass(5000);
    stage.scene("an operator gives its slots to standby1");
    await stage.force("standby1");
    await stage.get(KEY);
    await stage.put(KEY, "3");
    stage.scene(`${owner.name} comes back`);
    owner.start();
    await stage.until(
      `${owner.name} has its slots back`,
      () =>
        stage.cluster.rings.ring?.slots.every(({ owner: { id } = { id: "" } }) =>
          stage.cluster.machineOf(id) === owner
        ) ?? false,
    );
    await stage.get(KEY);
    await stage.pass(3000);
  },
};

export const STORIES: readonly Story[] = [
  joinOfAStandby,
  ownerKilled,
  zombieWrite,
  masterChanged,
  slowStandby,
  ownerBack,
  ownerForced,
  restart,
];
