/**
 * PostgreSQL's backends are killed at random under full units of work: repository, outbox row, mark and
 * statement in one.
 */
import { assertEquals } from "@std/assert";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { audited } from "./audit/ledger.ts";
import { type Chance, runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

/** A third of the backends falls at every blow. */
const SHARE = 0.3;
/** On a slow machine little would get through, and the storm would never end. */
const LONGEST_MS = 10_000;

faultTest("a storm of killed backends loses, doubles and halves nothing", async (chance) => {
  await using stage = await Stage.open({
    chance,
    module: { file: new URL("audit/ledger.ts", import.meta.url), audited },
    handlers: ["LedgerHandler", "BookedHandler"],
    settings: { retry_delay_seconds: 0.05 },
  });
  const server = await stage.serve();
  // Each event is two units of work.
  const events = Math.ceil(runSize() / 2);
  stage.produce({ events, keys: 200, batch: 10 });
  // The storm ends half-way: what it has left must be worked off as well.
  const killed = await storm(stage, chance, events);
  await stage.settled(server);
  await stage.audit({ events, ordered: true });
  const ledgers = await stage.books.ask(
    "select id, (state->>'booked')::int as booked from protean_audit_ledger",
  );
  assertEquals(
    new Map(ledgers.map(({ id, booked }) => [String(id), Number(booked)])),
    await stage.books.committed(),
  );
  assertEquals(killed > 0, true, "the storm hit nobody");
  assertEquals(await server.end("SIGTERM"), 0);
});

/**
 * Kills backends, the producer's among them, until there are so many effects or it has been enough. Returns
 * how many fell.
 */
async function storm(stage: Stage, chance: Chance, effects: number): Promise<number> {
  const end = performance.now() + LONGEST_MS;
  let killed = 0;
  while (await stage.books.count() < effects && performance.now() < end) {
    const backends = await stage.books.ask(
      "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid",
    );
    const victims = backends.map(({ pid }) => Number(pid)).filter(() => chance.next() < SHARE);
    for (const pid of victims) await stage.books.ask(`select pg_terminate_backend(${pid})`);
    killed += victims.length;
    await pause(chance.between(20, 80));
  }
  return killed;
}
