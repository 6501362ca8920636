/** Owners of keys are killed, frozen and asked to go: the order of each key holds across processes (G3). */
import { assert, assertEquals } from "@std/assert";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { audited } from "./audit/ordered_domain.ts";
import { type Chance, runSize } from "./audit/seed.ts";
import { Stage, type StageOptions } from "./audit/stage.ts";

const LEASE_MS = 2_000;
const TOML = `[server.partitioning]\nlease_ttl_ms = ${LEASE_MS}\nheartbeat_interval_seconds = 0.4\n` +
  "poll_interval_seconds = 0.05";

function open(chance: Chance, options: Partial<StageOptions> = {}): Promise<Stage> {
  return Stage.open({
    chance,
    module: { file: new URL("audit/ordered_domain.ts", import.meta.url), audited },
    handlers: ["EffectHandler"],
    toml: TOML,
    ...options,
  });
}

faultTest(
  "keys: three servers, one after the other killed and started anew: nothing lost, doubled or out of order",
  async (chance) => {
    await using stage = await open(chance);
    const servers = [await stage.serve(), await stage.serve(), await stage.serve()];
    const events = Math.ceil(runSize() / 2);
    stage.produce({ events });
    for (const share of [0.15, 0.3, 0.45, 0.6]) {
      const [first] = servers;
      assert(first);
      await stage.effects(events * share, first);
      const victim = servers.shift();
      await victim?.end("SIGKILL");
      servers.push(await stage.serve());
    }
    const [server] = servers;
    assert(server);
    await stage.settled(server);
    await stage.audit({ events, ordered: true });
    assertEquals(await stage.givenUp(), 0);
    for (const each of servers) assertEquals(await each.end("SIGTERM"), 0);
  },
);

faultTest(
  "keys: servers that are asked to go give their keys to the others at once, in order",
  async (chance) => {
    await using stage = await open(chance, { handlers: ["EffectHandler", "PlainHandler"] });
    const servers = [await stage.serve(), await stage.serve()];
    const events = Math.ceil(runSize() / 2);
    stage.produce({ events });
    for (const share of [0.2, 0.4, 0.6]) {
      const [first] = servers;
      assert(first);
      await stage.effects(2 * events * share, first);
      assertEquals(await servers.shift()?.end("SIGTERM"), 0);
      servers.push(await stage.serve());
    }
    const [server] = servers;
    assert(server);
    await stage.settled(server);
    // Nothing was cut: not even a handler without marks has done anything twice.
    await stage.audit({ events, ordered: true });
    for (const each of servers) assertEquals(await each.end("SIGTERM"), 0);
  },
);

faultTest(
  "keys: an owner that stood still for longer than its lease commits nothing and acknowledges nothing",
  async (chance) => {
    const keys = 40;
    await using stage = await open(chance, {
      handlers: ["EffectHandler", "PlainHandler"],
      settings: { concurrency: keys },
      connections: 2 * keys + 10,
    });
    const frozen = await stage.serve();
    await stage.hold();
    stage.produce({ events: keys, keys, batch: 1 });
    await frozen.until(
      async () => (await stage.deliveries()).length === 2 * keys,
      "a handler in flight for every key, of both",
    );
    const heir = await stage.serve();
    frozen.child.kill("SIGSTOP");
    await stage.release();
    try {
      await stage.effects(2 * keys, heir);
      await pause(chance.between(0, 500));
    } finally {
      frozen.child.kill("SIGCONT");
    }
    const events = Math.ceil(runSize() / 4);
    stage.produce({ events, keys });
    await stage.settled(heir);
    await stage.audit({ events, ordered: true });
    assertEquals((await stage.deliveries()).length >= 4 * keys, true, "all of them ran twice");
    for (const each of [frozen, heir]) assertEquals(await each.end("SIGTERM"), 0);
  },
);
