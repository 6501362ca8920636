/**
 * What every event store must do (delivery 15; wire 4). Each adapter's own test file calls
 * `eventStoreConformance`.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { BaseEventStore, BaseProvider, EventAppend, StoredEvent } from "../../adapters/ports.ts";
import type { Clock } from "../../async/clock.ts";
import { ExpectedVersionError, ProteanError } from "../../errors.ts";
import { inSession, metadataOf, outboxInsert, soon, writeSet } from "./provider_suite_rig.ts";

/** An opened, empty event store under test. */
export interface EventStoreFixture {
  readonly store: BaseEventStore;
  /** A provider beside it: in the same database, where the adapter can share one. */
  readonly provider: BaseProvider;
  /** The store's clock. */
  readonly clock: Clock;
  close(): Promise<void>;
}

/** Runs every rule against stores that `open` opens, each rule with its own. */
export function eventStoreConformance(name: string, open: () => Promise<EventStoreFixture>): void {
  const rule = (sentence: string, prove: (fixture: EventStoreFixture) => Promise<void>) =>
    Deno.test(`${name} event store ${sentence}`, async () => {
      const fixture = await open();
      try {
        await prove(fixture);
      } finally {
        await fixture.close();
      }
    });

  rule("counts positions within each stream from 0", async ({ store }) => {
    const positions = await store.append([
      event("shop::order-1"),
      event("shop::order-2"),
      event("shop::order-1"),
    ]);
    assertEquals(positions, [0, 0, 1]);
    assertEquals(await store.append([event("shop::order-1")]), [2]);
    assertEquals(await store.append([]), []);
  });

  rule("gives a message back as it was written", async ({ store, clock }) => {
    const data = '{"float":10.0,"small":1e-05,"text":"\\u00e4 \\ud83d\\ude00","big":12345678901234567890}';
    await store.append([{ ...event("shop::order-it's-1"), data }]);
    const [read] = await store.read("shop::order-it's-1", { limit: 9 });
    assertEquals([read?.stream, read?.type, read?.data, read?.position], [
      "shop::order-it's-1",
      "Shop.OrderPlaced.v1",
      data,
      0,
    ]);
    assert(read !== undefined && Math.abs(read.time - clock.now()) < 60_000);
  });

  rule(
    "fills in where an event's stream ended, and leaves a command without (wire 4.3)",
    async ({ store }) => {
      const command = {
        ...event("shop::order:command-1"),
        metadata: metadataOf("shop::order:command-1", { kind: "COMMAND" }),
      };
      const events = [event("shop::order-1"), event("shop::order-1"), command];
      await store.append(events as EventAppend[]);
      const all = await store.read("$all", { limit: 9 });
      const expected = [-1, 0, null].map((expected_version, index) => {
        const { metadata } = events[index] as EventAppend;
        return { ...metadata, domain: { ...metadata.domain, expected_version }, event_store: null };
      });
      assertEquals(all.map(({ metadata }) => JSON.parse(metadata)), expected);
    },
  );

  rule("reads a stream by position, from a given one on, at most so many", async ({ store }) => {
    await store.append(Array.from({ length: 10 }, (_, index) => event("shop::order-1", index - 1)));
    await store.append([event("shop::order-10"), event("shop::order-1:x")]);
    const positions = async (options: { from?: number; limit: number }) =>
      (await store.read("shop::order-1", options)).map(({ position }) => position);
    assertEquals(await positions({ limit: 100 }), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assertEquals(await positions({ from: 3, limit: 2 }), [3, 4]);
    assertEquals(await positions({ from: 9, limit: 2 }), [9]);
    assertEquals(await positions({ from: 10, limit: 2 }), []);
    assertEquals(await store.read("shop::order-none", { limit: 9 }), []);
  });

  rule("reads a category and everything by global position", async ({ store }) => {
    const streams = [
      "shop::order-1",
      "shop::order:command-1",
      "shop::order-a-b",
      "shop::orders-1",
      "shop::order-fact-1",
      "shop::order:snapshot-1",
    ];
    await store.append(streams.map((stream) => event(stream)));
    const names = (events: readonly StoredEvent[]) => events.map(({ stream }) => stream);
    const all = await store.read("$all", { limit: 99 });
    assertEquals(names(all), streams);
    const positions = all.map(({ globalPosition }) => globalPosition);
    assertEquals(positions, [...positions].sort((a, b) => a - b));
    assertEquals(new Set(positions).size, streams.length);
    assertEquals(names(await store.read("shop::order", { limit: 99 })), [
      "shop::order-1",
      "shop::order-a-b",
      "shop::order-fact-1",
    ]);
    assertEquals(names(await store.read("shop::order:command", { limit: 99 })), ["shop::order:command-1"]);
    const third = all[2]?.globalPosition ?? 0;
    assertEquals(names(await store.read("shop::order", { from: third, limit: 1 })), ["shop::order-a-b"]);
    assertEquals(names(await store.read("shop::order", { from: third + 1, limit: 9 })), [
      "shop::order-fact-1",
    ]);
    assertEquals(names(await store.read("$all", { from: third, limit: 2 })), [
      "shop::order-a-b",
      "shop::orders-1",
    ]);
  });

  rule("finds the last message of a stream, a category and everything", async ({ store }) => {
    for (const name of ["shop::order-1", "shop::order", "$all"]) {
      assertEquals(await store.last(name), undefined);
    }
    await store.append([
      event("shop::order-1"),
      event("shop::order-1"),
      event("shop::order-2"),
      event("shop::paid-1"),
    ]);
    const last = async (name: string) => {
      const found = await store.last(name);
      return found && [found.stream, found.position];
    };
    assertEquals(await last("shop::order-1"), ["shop::order-1", 1]);
    assertEquals(await last("shop::order"), ["shop::order-2", 0]);
    assertEquals(await last("$all"), ["shop::paid-1", 0]);
  });

  rule("brings no more than the size that is asked for, and always one message", async ({ store }) => {
    const large = { ...event("shop::order-1"), data: `{"text":"${"x".repeat(10_000)}"}` };
    await store.append([large, large, large, event("shop::order-1")]);
    const count = async (maxSize: number) => (await store.read("shop::order", { limit: 9, maxSize })).length;
    assertEquals([await count(1), await count(25_000), await count(1_000_000)], [1, 2, 4]);
    const [, second] = await store.read("shop::order-1", { limit: 9, maxSize: 25_000 });
    assertEquals(second?.position, 1);
    // Nothing of a read that has stopped early is left open.
    assertEquals(await store.append([event("shop::order-1")]), [4]);
  });

  rule("stores the metadata of records as they are (wire 4.3)", async ({ store }) => {
    const stream = "position-shop.OrderHandler-shop::order";
    const headers = { id: crypto.randomUUID(), type: "Read", time: "2026-01-02T03:04:05+00:00", stream };
    const metadata = { headers, domain: { kind: "READ_POSITION", origin_stream: "shop::order" } } as const;
    await store.append([{ stream, type: "Read", data: '{"position":7}', metadata, expectedVersion: -1 }]);
    const record = await store.last(stream);
    assertEquals(JSON.parse(record?.metadata ?? "null"), metadata);
    assertEquals(record?.data, '{"position":7}');
  });

  rule("tells of what is appended, by itself and in units of work, if it tells at all", async (fixture) => {
    const { store, provider } = fixture;
    let told = Promise.withResolvers<void>();
    const unwatch = store.watch(() => told.resolve());
    if (!unwatch) return;
    await store.append([event("shop::order-1")]);
    await soon(told.promise, "the hint of an append");
    if (store.sharesTransactionWith(provider)) {
      told = Promise.withResolvers();
      await provider.setup("all", []);
      await provider.session().commit(writeSet({ events: [event("shop::order-1")] }));
      await soon(told.promise, "the hint of a commit");
    }
    unwatch();
    unwatch();
    told.promise.catch(() => {});
    told = Promise.withResolvers();
    const late = told.promise.then(() => "told");
    await store.append([event("shop::order-1")]);
    assertEquals(await Promise.race([late, Promise.resolve("silent")]), "silent");
  });

  rule("refuses an event whose stream ends elsewhere, and all that came with it", async ({ store }) => {
    await store.append([event("shop::order-1", -1), event("shop::order-1", 0)]);
    for (const expected of [-1, 0, 2]) {
      const append = () => store.append([event("shop::order-2"), event("shop::order-1", expected)]);
      const message = `Wrong expected version: ${expected} (Stream: shop::order-1, Stream Version: 1)`;
      await assertRejects(append, ExpectedVersionError, message);
    }
    assertEquals((await store.read("$all", { limit: 9 })).length, 2);
    assertEquals(await store.append([event("shop::order-1", 1), event("shop::order-1")]), [2, 3]);
  });

  rule("lets one of many appends at the same position through", async ({ store }) => {
    const appends = Array.from({ length: 10 }, () => store.append([event("shop::order-1", -1)]));
    const results = await Promise.allSettled(appends);
    assertEquals(results.filter(({ status }) => status === "fulfilled").length, 1);
    assertEquals((await store.read("shop::order-1", { limit: 99 })).length, 1);
  });

  rule("appends nothing for whoever has given up before it has begun", async ({ store }) => {
    const given = AbortSignal.abort(new Error("given up"));
    await assertRejects(() => store.append([event("shop::order-1")], { signal: given }), Error, "given up");
    const waiting = new AbortController();
    const append = store.append([event("shop::order-1")], { signal: waiting.signal });
    waiting.abort(new Error("given up"));
    await assertRejects(() => append, Error, "given up");
    assertEquals(await store.last("shop::order-1"), undefined);
  });

  rule("keeps global positions growing under concurrent appends", async ({ store }) => {
    const appends = Array.from(
      { length: 30 },
      (_, index) => store.append([event(`shop::order-${index % 3}`)]),
    );
    await Promise.all(appends);
    for (const stream of ["shop::order-0", "shop::order-1", "shop::order-2"]) {
      const read = await store.read(stream, { limit: 99 });
      assertEquals(read.map(({ position }) => position), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      const globals = read.map(({ globalPosition }) => globalPosition);
      assertEquals(globals, [...globals].sort((a, b) => a - b));
    }
  });

  rule("rides in the provider's transaction, or cannot", async ({ store, provider }) => {
    const table = "protean_suite_order";
    const row = { table, id: "o1", state: "{}", expected: -1 };
    await provider.setup("all", [{ kind: "aggregate", name: table }]);
    const both = { rows: [row], events: [event("shop::order-1", -1), event("shop::order-1", 0)] };
    if (!store.sharesTransactionWith(provider)) {
      await assertRejects(() => provider.session().commit(writeSet(both)), ProteanError);
      return;
    }
    assertEquals((await provider.session().commit(writeSet(both))).positions, [0, 1]);
    await assertRejects(() => provider.session().commit(writeSet(both)), ExpectedVersionError);
    const wrong = {
      rows: [{ ...row, id: "o2" }],
      outbox: [outboxInsert("s-1")],
      events: [event("shop::order-1", 0)],
    };
    await assertRejects(() => provider.session().commit(writeSet(wrong)), ExpectedVersionError);
    assertEquals(await inSession(provider, (session) => session.load(table, "o2")), undefined);
    assertEquals((await provider.outbox.stats()).counts.pending, 0);
    const session = provider.session();
    await session.flush(writeSet({ events: [event("shop::order-9")] }));
    await session.rollback();
    const read = await store.read("shop::order", { limit: 99 });
    assertEquals(
      read.map(({ position, metadata }) => [position, JSON.parse(metadata).domain.expected_version]),
      [
        [0, -1],
        [1, 0],
      ],
    );
  });
}

function event(stream: string, expectedVersion?: number): EventAppend {
  return {
    stream,
    type: "Shop.OrderPlaced.v1",
    data: `{"order":"${stream}"}`,
    metadata: metadataOf(stream),
    expectedVersion,
  };
}
