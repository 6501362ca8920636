/** Batches against what one message at a time would do: whatever fails, whatever else is at work. */
import { assertEquals } from "@std/assert";
import { on, onBatch } from "@protean/server";
import { testDomain } from "@protean/server/testing";
import { z } from "zod";
import fc from "../../../support/property.ts";
import { shop } from "../fixture.ts";

const KEYS = "abcd";

interface Case {
  /** Streams of the messages, in the order in which they are published. */
  readonly keys: readonly string[];
  /** Places of those that fail: so many times each, 3 for good. */
  readonly culprits: ReadonlyMap<number, number>;
  readonly size: number;
  readonly concurrency: number;
  readonly maxWaitMs: number;
  readonly kind: "thrown" | "failed" | "projector";
}

const cases: fc.Arbitrary<Case> = fc.record({
  keys: fc.array(fc.constantFrom(...KEYS), { minLength: 1, maxLength: 40 }),
  culprits: fc.array(fc.tuple(fc.nat({ max: 39 }), fc.integer({ min: 1, max: 3 })), { maxLength: 6 })
    .map((list) => new Map(list)),
  size: fc.integer({ min: 1, max: 12 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  maxWaitMs: fc.constantFrom(0, 5, 300),
  kind: fc.constantFrom("thrown", "failed", "projector"),
});

async function check({ keys, culprits, size, concurrency, maxWaitMs, kind }: Case): Promise<void> {
  const { domain, Order } = shop();
  const schema = z.object({ key: z.string(), place: z.number() });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  const Log = domain.projection("Log", { schema: z.object({ id: z.string(), places: z.array(z.number()) }) });
  const left = new Map(culprits);
  /** Whether it fails this time, which is counted where it is known to be the one. */
  const fails = (place: number) => (left.get(place) ?? 0) > 0;
  const failed = (place: number) => void left.set(place, (left.get(place) ?? 0) - 1);
  const add = async (
    view: { get(id: string): Promise<{ places: number[] } | undefined>; put(row: unknown): Promise<void> },
    { key, place }: { key: string; place: number },
  ) => {
    const row = await view.get(key);
    await view.put({ id: key, places: [...row?.places ?? [], place] });
  };
  const options = { idempotent: true, concurrency, subscriptionConfig: { messagesPerTick: 7 } };
  if (kind === "projector") {
    domain.projector("Works", {
      ...options,
      projection: Log,
      batch: size,
      handles: [on(Placed, async (event, ctx) => {
        await add(ctx.view(Log) as Parameters<typeof add>[0], event);
        if (!fails(event.place)) return;
        failed(event.place);
        throw new Error(`no ${event.place}`);
      })],
    });
  } else {
    domain.eventHandler("Works", {
      ...options,
      partOf: Order,
      handles: [onBatch(Placed, { size, maxWaitMs }, async (events, ctx) => {
        const behind = new Set<string>();
        for (const event of events) {
          await add(ctx.view(Log) as Parameters<typeof add>[0], event);
          if (!fails(event.place)) continue;
          if (kind === "thrown" && events.length > 1) throw new Error("one of many");
          const error = new Error(`no ${event.place}`);
          if (kind === "failed") ctx.fail(event, error);
          // What is behind one that fails has its turn later, whatever becomes of it now.
          if (behind.has(event.key)) continue;
          failed(event.place);
          behind.add(event.key);
          if (kind === "thrown") throw error;
        }
      })],
    });
  }
  await using test = await testDomain(domain);
  await using server = await test.serve();
  for (let at = 0; at < keys.length; at += 9) {
    await domain.unitOfWork(async (ctx) => {
      for (const [place, key] of [...keys.entries()].slice(at, at + 9)) {
        await ctx.publish(Placed, { key, place }, { id: key });
      }
    });
    await server.advance(at % 2 === 0 ? 3 : 1_100);
  }
  await server.advance(120_000);
  const isDead = (place: number) => (culprits.get(place) ?? 0) >= 3;
  const expected = [...new Set(keys)].toSorted().flatMap((key) => {
    const places = [...keys.keys()].filter((place) => keys[place] === key && !isDead(place));
    return places.length > 0 ? [{ id: key, places }] : [];
  });
  assertEquals(await test.rows(Log), expected);
  const dead = [...keys.keys()].filter(isDead);
  const letters = await server.deadLetters("Works");
  assertEquals(letters.map(({ letter }) => letter.retryCount), dead.map(() => 3));
  const { handled, failed: attempts, unfinished } = {
    ...server.subscription("Works").counters,
    unfinished: server.subscription("Works").unfinished,
  };
  assertEquals([handled, unfinished], [keys.length - dead.length, 0]);
  // Nobody but the culprits was charged.
  const charged = [...culprits].filter(([place]) => place < keys.length).reduce((sum, [, n]) => sum + n, 0);
  assertEquals(attempts, charged);
}

Deno.test("batches have the effects, the order, the dead letters and the attempts of single messages", () =>
  fc.assert(fc.asyncProperty(cases, check), { numRuns: 60 }));
