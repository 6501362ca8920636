/** What the rules are judged by: the monitor's figures, and what workers tell of themselves. */
import { assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/adapters/ports.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { alertFigures } from "../../../lib/engine/alert_figures.ts";
import { LostWorkers } from "../../../lib/engine/lost_workers.ts";
import { subscriptionSource } from "../../../lib/health/subscription_source.ts";
import { Domain, on } from "../../../lib/mod.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import type { StartOptions } from "../../../lib/domain/startup.ts";
import { z } from "zod";

function peer(id: string, ageMs: number, fields: Record<string, string> = {}): Peer {
  return { id, ageMs, fields: { domain: "shop", host: "h", pid: "7", ...fields } };
}

Deno.test("figures are those that the monitor has collected, as long as they are young", async () => {
  const clock = new FakeClock();
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
  domain.eventHandler("Mailer", { partOf: Order, handles: [on(OrderPlaced, () => {})] });
  const memory = { default: { provider: "memory" } };
  const start: StartOptions = { clock, config: { databases: memory, brokers: memory, caches: memory } };
  await domain.init(start);
  try {
    const runtime = runtimeOf(domain);
    const { peers } = runtime.brokers.get("default") ?? {};
    await peers?.announce({ id: "own", fields: { domain: "shop" } }, 1e9);
    await peers?.announce({ id: "theirs", fields: { domain: "other" } }, 1e9);
    await peers?.announce({
      id: "w2",
      fields: {
        ...{ domain: "shop", host: "h2", pid: "9" },
        subscriptions: JSON.stringify({
          a: { handler: "Mailer", category: "shop::order", breaker: "open", finished: 3 },
          b: { handler: "Mailer", category: "shop::order", breaker: "half_open" },
          c: { handler: 1, breaker: "ajar" },
          d: null,
        }),
        pools: '{"default":{"size":5,"checkedOut":5,"waiting":2},"x":{"size":"5"}}',
        checks: '[{"name":"pay","status":"failed","error":"no"},{"name":"x","status":"maybe"},7]',
      },
    }, 1e9);
    await peers?.announce({ id: "w3", fields: { domain: "shop", subscriptions: "{", checks: "null" } }, 1e9);
    const broker = runtime.brokers.get("default");
    await broker?.publish([{ stream: "shop::order", data: "{}" }]);
    await broker?.group({ stream: "shop::order", group: "shop.Mailer", consumer: "c" }).ensure();
    await clock.advance(7_000);
    const source = subscriptionSource(runtime);
    const figures = alertFigures({
      ...{ runtime, id: "own", statuses: () => [], latest: () => source.latest() },
      checks: () => [{ name: "pay", status: "ok", gatesReadiness: false }],
    });
    assertEquals(figures(), { rows: undefined, workers: undefined, lost: [] }, "nothing is known yet");
    await source.collect(new AbortController().signal);
    const { rows, workers = [] } = figures();
    const shown: unknown = workers.map(({ id, host, subscriptions, pools, checks }) => ({
      ...{ id, subscriptions, pools, checks, host: id === "own" ? "" : host },
    }));
    assertEquals(rows?.map(({ name, category, isOutbox, lag }) => [name, category, isOutbox, lag]), [
      ["shop.Mailer", "shop::order", false, 1],
      ["outbox-processor-default-to-default", "default", true, 0],
    ]);
    assertEquals(shown, [
      {
        id: "own",
        host: "",
        subscriptions: [],
        pools: [],
        checks: [
          { name: "pay", status: "ok", gatesReadiness: false },
        ],
      },
      {
        ...{ id: "w2", host: "h2" },
        subscriptions: [
          { handler: "Mailer", category: "shop::order", breaker: "open", finished: 3 },
          { handler: "Mailer", category: "shop::order", breaker: "half_open", finished: undefined },
        ],
        pools: [{ name: "default", size: 5, checkedOut: 5, waiting: 2 }],
        checks: [{ name: "pay", status: "failed", error: "no" }],
      },
      { id: "w3", host: "?", subscriptions: [], pools: [], checks: [] },
    ]);
    await clock.advance(15_001);
    assertEquals(figures(), { rows: undefined, workers: undefined, lost: [] }, "old figures are none");
  } finally {
    await domain.close();
  }
});

Deno.test("a worker that grows silent and is forgotten is lost, one that stops cleanly is not", () => {
  const lost = new LostWorkers();
  const ids = (peers: readonly Peer[], at: number) =>
    lost.look(peers, at).map(({ id, gone }) => `${id} ${gone}`);
  assertEquals(ids([peer("a", 0), peer("b", 4_000), peer("c", 1_000)], 0), []);
  assertEquals(ids([peer("a", 5_000), peer("c", 6_000)], 5_000), [], "b has stopped");
  assertEquals(ids([peer("a", 10_000), peer("c", 400)], 10_000), []);
  assertEquals(ids([peer("a", 15_000)], 15_000), [], "c has stopped");
  assertEquals(ids([peer("a", 25_000)], 25_000), []);
  assertEquals(ids([], 30_000), ["a true"]);
  assertEquals(ids([peer("a", 0)], 35_000), ["a false"], "it is there again");
  assertEquals(ids([], 40_000), ["a true"]);
  assertEquals(ids([], 30_000 + 3_600_001), [], "not for ever");
});

Deno.test("whoever looks late, or finds the clock set, takes nobody for lost who is not", () => {
  const late = new LostWorkers();
  late.look([peer("a", 12_000), peer("b", 2_000)], 0);
  assertEquals(late.look([], 24_000).map(({ id }) => id), ["a"], "b may have stopped meanwhile");
  const stopped = new LostWorkers();
  stopped.look([peer("a", 12_000)], 0);
  assertEquals(stopped.look([], 5_000), [], "it stopped, if late: nobody has forgotten it yet");
});
