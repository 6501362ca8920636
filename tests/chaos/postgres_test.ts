/**
 * PostgreSQL goes away in the middle of the work, or commits in another order than it numbers (faults F15,
 * F18).
 */
import { assertEquals } from "@std/assert";
import { pause } from "../support/until.ts";
import { audited } from "./audit/domain.ts";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

faultTest(
  "F15: PostgreSQL stopped as in a crash and started again loses nothing and stops nobody",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const server = await stage.serve();
    const events = runSize();
    stage.produce({ events });
    for (const part of [chance.between(0.1, 0.3), chance.between(0.4, 0.6)]) {
      await stage.effects(events * part, server);
      await stage.postgres.stop("immediate");
      await pause(chance.between(100, 2000));
      await stage.postgres.restart();
    }
    await stage.settled(server);
    await stage.audit({ events, ordered: true });
    assertEquals(await server.end("SIGTERM"), 0);
  },
);

faultTest("F18: a row that is committed after younger ones is published", async (chance) => {
  await using stage = await Stage.open({ chance });
  const { books } = stage;
  const server = await stage.serve();
  // The commit of one key stops behind its own outbox row, whose number is taken by then, until the lock is
  // free.
  await books.ask(`
    create function wait_for_the_lock() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(4711, 1); return null; end $$;
    create trigger late after insert on protean_outbox for each row
      when (new.stream_name = 'audit::source-late') execute function wait_for_the_lock();
    select pg_advisory_lock(4711, 1);`);
  const late = commitLate();
  await server.until(async () => {
    const [row] = await books.ask(
      "select count(*) as n from pg_locks where locktype = 'advisory' and not granted",
    );
    return Number(row?.["n"]) === 1;
  }, "the late transaction to have its number");
  // Enough keys for every shard to have some.
  const events = Math.min(runSize(), 2000);
  stage.produce({ events, keys: 64 });
  await stage.settled(server);
  assertEquals(await books.count(), events, "the younger rows do not wait");
  await books.ask("select pg_advisory_unlock(4711, 1)");
  await late;
  await stage.settled(server);
  await stage.audit({ events: events + 1, ordered: true });
  assertEquals(await server.end("SIGTERM"), 0);
});

function commitLate(): Promise<void> {
  const { domain, Source, Numbered } = audited;
  return domain.unitOfWork(async (ctx) => {
    const source = Source.create({ id: "late", produced: 1 });
    source.raise(Numbered, { key: "late", n: 1 });
    await ctx.repository(Source).add(source);
  });
}
