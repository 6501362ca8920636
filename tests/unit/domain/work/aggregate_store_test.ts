/** The unit of work keeps aggregates in whatever way their definition says, not only as rows. */
import { assertEquals, assertRejects } from "@std/assert";
import { ExpectedVersionError } from "@protean/server";
import { type AggregateDefinition, aggregateOf } from "../../../../lib/domain/elements/aggregate.ts";
import type {
  AggregateStore,
  AggregateWrites,
  Change,
  Stored,
  StoreSource,
} from "../../../../lib/domain/elements/aggregate_store.ts";
import { AggregateInstance } from "../../../../lib/domain/elements/instance.ts";
import type { DomainRuntime } from "../../../../lib/domain/runtime.ts";
import { eventId, sequenceId } from "../../../../lib/message/metadata.ts";
import { streamOf } from "../../../../lib/message/names.ts";
import { inMemory, inSqlite, outbox, type Shop, shop, started } from "../fixture.ts";

/** An order is the events on its stream; its amount is their sum. */
class StreamStore implements AggregateStore {
  constructor(private readonly aggregate: AggregateDefinition) {}

  async load(id: string, { eventStore }: StoreSource): Promise<Stored> {
    const events = await eventStore?.read(streamOf(this.aggregate.category, id), { limit: 100 }) ?? [];
    const last = events.at(-1);
    if (!last) return { kind: "missing" };
    const amount = events.reduce((sum, { data }) => sum + Number(JSON.parse(data).amount), 0);
    const row = { id, version: last.position, state: JSON.stringify({ id, status: "placed", amount }) };
    return { kind: "present", restore: () => AggregateInstance.restore(this.aggregate, row) };
  }

  async loadMany(ids: readonly string[], source: StoreSource): Promise<ReadonlyMap<string, Stored>> {
    return new Map(await Promise.all(ids.map(async (id) => [id, await this.load(id, source)] as const)));
  }

  writes({ instance }: Change): AggregateWrites {
    const stream = streamOf(this.aggregate.category, instance.id);
    const events = instance.raised.map((raised, index) => {
      const position = instance.version + 1 + index;
      return {
        raised,
        id: eventId(stream, position),
        sequenceId: sequenceId(position),
        expectedVersion: position - 1,
      };
    });
    return { rows: [], events, version: instance.version + events.length };
  }
}

async function proveOn(my: Shop, runtime: DomainRuntime): Promise<void> {
  const { domain, Order, OrderPlaced } = my;
  const definition = aggregateOf(Order) as unknown as AggregateDefinition;
  Object.assign(definition, { store: new StreamStore(definition) });
  await domain.unitOfWork(async (ctx) => {
    const order = Order.create({ id: "1", status: "placed", amount: 0 });
    order.raise(OrderPlaced, { orderId: "1", amount: 5 });
    order.raise(OrderPlaced, { orderId: "1", amount: 7 });
    await ctx.repository(Order).add(order);
  });
  const gate = Promise.withResolvers<void>();
  let waiting = 2;
  const meet = () => --waiting === 0 ? gate.resolve() : gate.promise;
  const add = (amount: number) =>
    domain.unitOfWork(async (ctx) => {
      const order = await ctx.repository(Order).get("1");
      assertEquals([order.version, order.state.amount], [1, 12]);
      order.raise(OrderPlaced, { orderId: "1", amount });
      await ctx.repository(Order).add(order);
      await meet();
    });
  const both = [add(1), add(1)];
  await Promise.any(both);
  await assertRejects(() => Promise.all(both), ExpectedVersionError);
  await domain.unitOfWork(async (ctx) => {
    const order = await ctx.repository(Order).get("1");
    assertEquals([order.version, order.state.amount], [2, 13]);
  });
  assertEquals((await outbox(runtime)).map(({ metadata }) => metadata.headers.id), [
    "my_domain::order-1-0",
    "my_domain::order-1-1",
    "my_domain::order-1-2",
  ]);
  const rows = runtime.providers.get("default")?.session();
  assertEquals(await rows?.load(definition.table, "1"), undefined);
  await rows?.rollback();
}

Deno.test("aggregates may be stored as their events (memory)", async () => {
  const my = shop();
  await using running = await started(my.domain, { config: inMemory() });
  await proveOn(my, running.runtime);
});

Deno.test("aggregates may be stored as their events (sqlite)", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const my = shop();
    await using running = await started(my.domain, { config: inSqlite(folder) });
    await proveOn(my, running.runtime);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
