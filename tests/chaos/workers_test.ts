/** Workers killed and replaced under load, and the auditor behind them (faults F1 and F25). */
import { assert, assertEquals } from "@std/assert";
import { pause } from "../support/until.ts";
import type { RunningServer } from "../e2e/server.ts";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

const isFull = Deno.env.get("AUDIT_FULL") !== undefined;
const CLAIM_IDLE_MS = 3_000;
const SETTINGS = { claim_idle_ms: CLAIM_IDLE_MS, claim_interval_ms: 1_000 };

faultTest(
  "F1: one of three servers is killed every two seconds; nothing is lost or doubled",
  async (chance) => {
    await using stage = await Stage.open({ chance, settings: SETTINGS });
    const servers: RunningServer[] = [];
    for (let server = 1; server <= 3; server++) servers.push(await stage.serve());
    const events = runSize();
    stage.produce({ events });
    const kills = isFull ? 30 : 5;
    for (let kill = 0; kill < kills; kill++) {
      await pause(2_000);
      const victim = chance.pick(servers);
      await victim.end("SIGKILL");
      servers[servers.indexOf(victim)] = await stage.serve();
    }
    const [heir] = servers;
    assert(heir);
    await stage.produced();
    await stage.settled(heir);
    // Across processes the order of a key is not promised.
    await stage.audit({ events, ordered: false });
    for (const server of servers) assertEquals(await server.end("SIGTERM"), 0);
  },
);

faultTest(
  "F25: three workers are replaced one by one, again and again under load; two are always ready",
  async (chance) => {
    await using stage = await Stage.open({ chance, settings: SETTINGS });
    const server = await stage.serve(0, ["--workers=3"]);
    const events = runSize();
    stage.produce({ events });
    const rolls = isFull ? 5 : 2;
    let least = 3;
    for (let roll = 1; roll <= rolls; roll++) {
      server.child.kill("SIGUSR2");
      await server.until(async () => {
        const { body } = await server.probe("/readyz");
        const { workers } = body["checks"] as { workers: Record<string, { status: string }> };
        least = Math.min(least, Object.values(workers).filter(({ status }) => status === "ok").length);
        return (await server.log()).split('"supervisor.roll_ended"').length > roll;
      }, "the workers to be replaced");
    }
    assert(least >= 2, `only ${least} of three were ready`);
    await stage.settled(server);
    await stage.audit({ events, ordered: false });
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
  },
);
