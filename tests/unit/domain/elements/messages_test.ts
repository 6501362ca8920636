/** What leaves a unit of work: ids, streams, metadata and outbox rows (spec: wire 1, delivery 9 to 12). */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { Domain, type Message, on, onAny } from "@protean/server";
import { z } from "zod";
import { checksumOf } from "../../../../lib/message/checksum.ts";
import { handle, inMemory, outbox, runnerOf, type Shop, shop, started } from "../fixture.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const data = { orderId: "1", amount: 5 };

async function place({ domain, Order, OrderPlaced }: Shop, id = "1") {
  const order = Order.create({ id, status: "placed", amount: 5 });
  await domain.unitOfWork(async (ctx) => {
    order.raise(OrderPlaced, { orderId: id, amount: 1 });
    order.raise(OrderPlaced, { orderId: id, amount: 2 });
    await ctx.repository(Order).add(order);
  });
  return order;
}

Deno.test("events of one save are numbered from 1 behind the version that the save gives the aggregate", async () => {
  const my = shop();
  await using running = await started(my.domain);
  const order = await place(my);
  assertEquals(order.version, 0);
  await my.domain.unitOfWork(async (ctx) => {
    const again = await ctx.repository(my.Order).get("1");
    again.raise(my.OrderPlaced, { orderId: "1", amount: 3 });
    await ctx.repository(my.Order).add(again);
  });
  const messages = await outbox(running.runtime);
  assertEquals(messages.map(({ metadata }) => [metadata.headers.id, metadata.domain.sequence_id]), [
    ["my_domain::order-1-0.1", "0.1"],
    ["my_domain::order-1-0.2", "0.2"],
    ["my_domain::order-1-1.1", "1.1"],
  ]);
});

Deno.test("an instance that is saved again in a later unit of work advances its version", async () => {
  const my = shop();
  await using running = await started(my.domain);
  const order = await place(my);
  for (let save = 1; save <= 2; save++) {
    await my.domain.unitOfWork(async (ctx) => {
      order.raise(my.OrderPlaced, { orderId: "1", amount: 3 });
      await ctx.repository(my.Order).add(order);
    });
    assertEquals(order.version, save);
  }
  const ids = (await outbox(running.runtime)).map(({ metadata }) => metadata.headers.id);
  assertEquals(ids.slice(2), ["my_domain::order-1-1.1", "my_domain::order-1-2.1"]);
});

Deno.test("an event's metadata is the wire's, key by key", async () => {
  const my = shop();
  await using running = await started(my.domain);
  await place(my);
  const [message] = await outbox(running.runtime);
  const text = '{"amount":1,"orderId":"1"}';
  assertEquals(message?.metadata, {
    headers: {
      id: "my_domain::order-1-0.1",
      time: "2026-01-01T00:00:00.000000+00:00",
      type: "MyDomain.OrderPlaced.v1",
      stream: "my_domain::order-1",
      traceparent: null,
      idempotency_key: null,
      deadline: null,
    },
    envelope: { specversion: "1.0", checksum: checksumOf(text) },
    domain: {
      fqn: "my_domain.OrderPlaced",
      kind: "EVENT",
      origin_stream: null,
      stream_category: "my_domain::order",
      version: 1,
      sequence_id: "0.1",
      asynchronous: true,
      expected_version: null,
      priority: 0,
      correlation_id: null,
      causation_id: null,
    },
    event_store: null,
    extensions: {},
  });
});

Deno.test("events are published in the order in which they were raised, across aggregates and with what is sent", async () => {
  const my = shop();
  await using running = await started(my.domain);
  await my.domain.unitOfWork(async (ctx) => {
    const [a, b] = ["a", "b"].map((id) => my.Order.create({ id, status: "placed", amount: 0 }));
    if (!a || !b) return;
    a.raise(my.OrderPlaced, { orderId: "a", amount: 1 });
    b.raise(my.OrderPlaced, { orderId: "b", amount: 2 });
    await ctx.publish(my.OrderPlaced, { orderId: "c", amount: 3 });
    a.raise(my.OrderPlaced, { orderId: "a", amount: 4 });
    await ctx.process(my.PlaceOrder, { orderId: "d", amount: 5 });
    await ctx.repository(my.Order).add(b);
    await ctx.repository(my.Order).add(a);
    b.raise(my.OrderPlaced, { orderId: "b", amount: 6 });
  });
  assertEquals((await outbox(running.runtime)).map((message) => message.data.amount), [1, 2, 3, 4, 5, 6]);
});

Deno.test("a command has a fresh id and the stream of the aggregate it addresses", async () => {
  const my = shop();
  await using running = await started(my.domain);
  await my.domain.process(my.PlaceOrder, data);
  await my.domain.process(my.PlaceOrder, data, { priority: -50, correlationId: "c-1", timeoutMs: 1500 });
  const [first, second] = await outbox(running.runtime);
  assert(first && second);
  assertMatch(first.metadata.headers.id, UUID);
  assertNotEquals(first.metadata.headers.id, second.metadata.headers.id);
  assertEquals(first.metadata.headers.stream, "my_domain::order:command-1");
  assertEquals(first.metadata.domain.kind, "COMMAND");
  assertEquals(first.metadata.domain.stream_category, null);
  assertEquals(first.metadata.domain.sequence_id, null);
  assertMatch(first.metadata.domain.correlation_id ?? "", /^[0-9a-f]{32}$/);
  assertEquals(second.metadata.domain.correlation_id, "c-1");
  assertEquals(second.metadata.domain.priority, -50);
  assertEquals(second.metadata.headers.deadline, "2026-01-01T00:00:01.500000+00:00");
});

const addressed: [string, Record<string, unknown>, string | RegExp][] = [
  ["its identity", { id: "i", orderId: "o" }, "i"],
  ["the aggregate's name and Id", { orderId: "o", order_id: "s" }, "o"],
  ["the aggregate's name and _id", { order_id: "s" }, "s"],
  ["a number", { id: 42 }, "42"],
  ["nothing that names it", { customer: "c" }, UUID],
  ["an empty id", { id: "" }, UUID],
  ["an id that is an object", { id: {} }, UUID],
  ["an id only in its prototype", Object.create({ id: "inherited" }), UUID],
];

for (const [name, payload, expected] of addressed) {
  Deno.test(`a published event and a command find their stream by a payload with ${name}`, async () => {
    const { domain, Order } = shop();
    const schema = z.record(z.string(), z.unknown());
    const Event = domain.event("Anything", { partOf: Order, schema });
    const Command = domain.command("Do", { partOf: Order, schema });
    await using running = await started(domain);
    await domain.publish(Event, payload);
    await domain.process(Command, payload);
    const ids = (await outbox(running.runtime)).map(({ stream }) => stream.slice(stream.indexOf("-") + 1));
    assertEquals(ids.length, 2);
    for (const id of ids) {
      if (typeof expected === "string") assertEquals(id, expected);
      else assertMatch(id, expected);
    }
  });
}

Deno.test("the id of a command is never the id part of its stream, which is how Python's are told apart", async () => {
  const { domain, Order } = shop();
  const Command = domain.command("Do", { partOf: Order, schema: z.object({}) });
  await using running = await started(domain);
  await domain.process(Command, {});
  const [message] = await outbox(running.runtime);
  assertNotEquals(message?.stream, `my_domain::order:command-${message?.metadata.headers.id}`);
});

Deno.test("publish answers the message id, and takes the id part of the stream as an option", async () => {
  const my = shop();
  await using running = await started(my.domain);
  const id = await my.domain.publish(my.OrderPlaced, data, { id: "a-b" });
  const [message] = await outbox(running.runtime);
  assertMatch(id, UUID);
  assertEquals(message?.metadata.headers.id, id);
  assertEquals(message?.stream, "my_domain::order-a-b");
  assertEquals(message?.metadata.domain.sequence_id, null);
});

/** The children of a message with this metadata: an event raised, an event published, a command sent. */
async function children(kind: "EVENT" | "COMMAND") {
  const my = shop();
  const act = async (_payload: unknown, ctx: Parameters<Parameters<typeof onAny>[0]>[1]) => {
    const order = my.Order.create({ id: "9", status: "placed", amount: 1 });
    order.raise(my.OrderPlaced, data);
    await ctx.repository(my.Order).add(order);
    await ctx.publish(my.OrderPlaced, data);
    await ctx.process(my.PlaceOrder, data);
  };
  my.domain.eventHandler("Events", { partOf: my.Order, handles: [on(my.OrderPlaced, act)] });
  my.domain.commandHandler("Commands", { partOf: my.Order, handles: [on(my.PlaceOrder, act)] });
  await using running = await started(my.domain);
  if (kind === "EVENT") await my.domain.publish(my.OrderPlaced, data);
  else {await my.domain.process(my.PlaceOrder, data, {
      correlationId: "corr",
      priority: 50,
      timeoutMs: 60_000,
    });}
  const [read] = await outbox(running.runtime);
  assert(read);
  const parent: Message = {
    data: read.data,
    metadata: {
      ...read.metadata,
      domain: { ...read.metadata.domain, origin_stream: "shop::cart-7", correlation_id: "corr" },
      extensions: { tenant: "t1", _dropped_fields: ["x"] },
    },
  };
  await handle(runnerOf(running.runtime, kind === "EVENT" ? "Events" : "Commands"), parent);
  const [raised, published, command] = await outbox(running.runtime);
  assert(raised && published && command);
  return {
    parent: parent.metadata,
    raised: raised.metadata,
    published: published.metadata,
    command: command.metadata,
  };
}

for (const kind of ["EVENT", "COMMAND"] as const) {
  Deno.test(`what handling ${kind === "EVENT" ? "an event" : "a command"} writes inherits from it`, async () => {
    const { parent, raised, published, command } = await children(kind);
    for (const child of [raised, published, command]) {
      assertEquals(child.domain.correlation_id, "corr");
      assertEquals(child.domain.causation_id, parent.headers.id);
      assertEquals(child.extensions, { tenant: "t1" });
    }
    assertEquals(raised.domain.origin_stream, kind === "COMMAND" ? "shop::cart-7" : null);
    assertEquals(published.domain.origin_stream, kind === "COMMAND" ? "shop::cart-7" : null);
    assertEquals(command.domain.origin_stream, kind === "EVENT" ? parent.headers.stream : null);
    assertEquals(raised.domain.priority, 0);
    assertEquals(command.domain.priority, kind === "COMMAND" ? 50 : 0);
    assertEquals(command.headers.deadline, parent.headers.deadline);
  });
}

Deno.test("events take the priority of the message in context to the outbox, not into their metadata", async () => {
  const my = shop();
  my.domain.commandHandler("Commands", {
    partOf: my.Order,
    handles: [on(my.PlaceOrder, (command, ctx) => ctx.publish(my.OrderPlaced, command))],
  });
  await using running = await started(my.domain);
  await my.domain.process(my.PlaceOrder, data, { priority: -50, asynchronous: false });
  const lease = await running.runtime.providers.get("default")?.outbox.lease({
    broker: "default",
    owner: "test",
  });
  const [row] = await lease?.claim(10) ?? [];
  await lease?.release();
  assertEquals(row?.priority, -50);
  assertEquals(JSON.parse(row?.metadata ?? "").domain.priority, 0);
});

Deno.test("a published event goes to the external brokers too, in the external form and under the same id", async () => {
  const { domain, Order, OrderPlaced } = shop();
  const Shipped = domain.event("Shipped", {
    partOf: Order,
    published: true,
    schema: z.object({ id: z.string() }),
  });
  const config = inMemory({
    brokers: { default: { provider: "memory" }, a: { provider: "memory" }, b: { provider: "memory" } },
    outbox: { external_brokers: ["a", "b"] },
  });
  await using running = await started(domain, { config });
  const id = await domain.publish(Shipped, { id: "1" });
  await domain.publish(OrderPlaced, data);
  const messages = await outbox(running.runtime);
  assertEquals(messages.map(({ broker, type }) => [broker, type]).sort(), [
    ["a", "MyDomain.Shipped.v1"],
    ["b", "MyDomain.Shipped.v1"],
    ["default", "MyDomain.OrderPlaced.v1"],
    ["default", "MyDomain.Shipped.v1"],
  ]);
  const internal = messages.find(({ broker, type }) => broker === "default" && type.includes("Shipped"));
  const external = messages.find(({ broker }) => broker === "a");
  assertEquals(internal?.metadata.headers.id, id);
  assertEquals(external?.metadata, {
    headers: internal?.metadata.headers,
    domain: {
      fqn: "my_domain.Shipped",
      kind: "EVENT",
      origin_stream: null,
      stream_category: "my_domain::order",
      version: 1,
      sequence_id: null,
      correlation_id: null,
      causation_id: null,
    },
    envelope: { specversion: "1.0" },
  } as unknown);
});

Deno.test("a command's deadline defaults to command_default_timeout", async () => {
  const my = shop();
  await using running = await started(my.domain, { config: inMemory({ command_default_timeout: 2 }) });
  await my.domain.process(my.PlaceOrder, data);
  const [message] = await outbox(running.runtime);
  assertEquals(message?.metadata.headers.deadline, "2026-01-01T00:00:02.000000+00:00");
});

Deno.test("dates travel as JSON and arrive as dates", async () => {
  const domain = new Domain("d");
  const Visit = domain.aggregate("Visit", { schema: z.object({ id: z.string() }) });
  const Seen = domain.event("Seen", {
    partOf: Visit,
    schema: z.object({ id: z.string(), at: z.coerce.date() }),
  });
  const seen: unknown[] = [];
  domain.eventHandler("Events", { partOf: Visit, handles: [on(Seen, ({ at }) => seen.push(at))] });
  await using running = await started(domain);
  await domain.publish(Seen, { id: "1", at: "2026-01-02" });
  const [message] = await outbox(running.runtime);
  assert(message);
  assertEquals(message.data.at, "2026-01-02T00:00:00.000Z");
  await handle(runnerOf(running.runtime, "Events"), message);
  assertEquals(seen, [new Date("2026-01-02")]);
});
