/** Leases in a SQLite file, which run out a minute after the last word of their holder. */
import { assertEquals, assertThrows } from "@std/assert";
import { SqliteProvider } from "../../../lib/adapters/sqlite/provider.ts";
import type { AdapterOptions, OutboxLease } from "../../../lib/adapters/ports.ts";
import { sleep } from "../../../lib/async/clock.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { OutboxProcessor } from "../../../lib/outbox/processor.ts";
import { inserts, leaseOf, published } from "../../../lib/testing/conformance/outbox_suite_rig.ts";
import { sql } from "../../../lib/testing/conformance/provider_suite_rig.ts";
import { retry } from "./outbox_rig.ts";

async function withProvider(
  test: (provider: SqliteProvider, clock: FakeClock, options: AdapterOptions) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const settings = { database_uri: "sqlite:///shop.db" };
  const options = { name: "default", domain: "shop", settings, folder, clock };
  const provider = new SqliteProvider(options);
  try {
    await provider.open();
    await provider.setup("own", []);
    await test(provider, clock, options);
  } finally {
    await provider.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const stand = (provider: SqliteProvider) => leaseOf(provider);
const counts = (...leases: OutboxLease[]) => leases.map(({ shards }) => shards.length);

Deno.test("a lease that shares from time to time keeps its shards, however little there is to do", () =>
  withProvider(async (provider, clock) => {
    const lease = await stand(provider);
    for (let second = 0; second < 120; second++) {
      await clock.advance(1000);
      await lease.share();
    }
    const other = await stand(provider);
    assertEquals(counts(lease, other), [16, 0]);
    await lease.release();
    await other.release();
  }));

Deno.test("a lease whose process stands still loses shards and seat to the next, and gets its share back", () =>
  withProvider(async (provider, clock, options) => {
    // Its time stands still, while that of the others goes on.
    const frozen = new FakeClock(clock.now());
    const stopped = new SqliteProvider({ ...options, clock: frozen });
    await stopped.open();
    const silent = await stand(stopped);
    await clock.advance(60_000);
    const heir = await stand(provider);
    assertEquals(counts(heir), [16]);
    await silent.settle([]);
    assertEquals(counts(silent), [0]);
    await frozen.advance(clock.now() - frozen.now());
    await silent.share();
    await heir.share();
    await silent.share();
    assertEquals(counts(silent, heir), [8, 8]);
    await silent.release();
    await heir.release();
    await stopped.close();
  }));

Deno.test("a beat after a standstill does not make up for shards that another has taken meanwhile", () =>
  withProvider(async (provider, clock, options) => {
    const frozen = new FakeClock(clock.now());
    const stopped = new SqliteProvider({ ...options, clock: frozen });
    await stopped.open();
    await provider.session().commit({ rows: [], outbox: inserts("1", "m1"), events: [] });
    const silent = await stand(stopped);
    const rows = await silent.claim(9);
    silent.assertHeld();
    await clock.advance(60_000);
    const heir = await stand(provider);
    assertEquals((await heir.claim(9)).length, 1);
    // It goes on, and its timers are the first that do.
    await frozen.advance(5_000);
    assertEquals(counts(silent), [0]);
    assertThrows(() => silent.assertHeld(), ProviderUnavailableError, "is another's by now");
    await silent.settle(rows.map(published));
    assertEquals((await provider.outbox.stats()).counts.processing, 1);
    // What it claims from now on is its own.
    silent.assertHeld();
    await heir.release();
    await silent.release();
    await stopped.close();
  }));

Deno.test("a lease beats by itself, however long nothing is done with it, until it is released", () =>
  withProvider(async (provider, clock) => {
    const lease = await stand(provider);
    await clock.advance(300_000);
    lease.assertHeld();
    const other = await stand(provider);
    assertEquals(counts(lease, other), [16, 0]);
    await lease.release();
    await other.release();
    const idle = clock.pending;
    await clock.advance(60_000);
    assertEquals(clock.pending, idle);
  }));

Deno.test("released leases leave nothing in the table", () =>
  withProvider(async (provider) => {
    const leases = [await stand(provider), await stand(provider)];
    for (const lease of leases) await lease.release();
    const again = await stand(provider);
    assertEquals(counts(again), [16]);
    await again.release();
  }));

Deno.test("a processor that waits for its turn to write, behind handlers, is not taken for one that stood still", () =>
  withProvider(async (provider, clock) => {
    const broker = new MemoryBroker({ name: "default", domain: "shop", settings: {}, folder: ".", clock });
    const settings = { messagesPerTick: 10, maxTickIntervalSeconds: 1, retry };
    const processor = new OutboxProcessor({ provider, broker, owner: "host-1", clock, settings });
    await provider.session().commit({ rows: [], outbox: inserts("1", "m1"), events: [] });
    const over = new AbortController();
    const holding = (async () => {
      while (!over.signal.aborted) {
        const handler = provider.session();
        await handler.query(sql`delete from protean_processed`);
        await sleep(clock, 25_000, over.signal);
        await handler.rollback();
      }
    })();
    await clock.advance(1000);
    await processor.start();
    for (let second = 0; second < 200 && processor.counters.published === 0; second++) {
      await clock.advance(1000);
    }
    assertEquals(processor.counters.published, 1);
    over.abort();
    const stopping = Promise.all([holding, processor.stop()]);
    await clock.advance(100);
    await stopping;
  }));
