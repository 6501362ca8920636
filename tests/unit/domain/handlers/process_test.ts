/** `domain.process` and `domain.publish` (wire 1.9, 10.14; delivery 10 to 12). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IncorrectUsageError, on, ValidationError } from "@protean/server";
import { z } from "zod";
import { inMemory, inSqlite, outbox, type Shop, shop, started } from "../fixture.ts";

const data = { orderId: "1", amount: 5 };

function handling(my: Shop, fail = () => false) {
  my.domain.commandHandler("Commands", {
    partOf: my.Order,
    handles: [on(my.PlaceOrder, async ({ orderId, amount }, ctx) => {
      const order = my.Order.create({ id: orderId, status: "placed", amount });
      order.raise(my.OrderPlaced, { orderId, amount });
      await ctx.repository(my.Order).add(order);
      if (fail()) throw new Error("not today");
      return `placed ${orderId}`;
    })],
  });
  return my;
}

Deno.test("an asynchronous command is in the outbox and in the event store, and answers its position there", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const config of [inMemory(), inSqlite(folder)]) {
      const my = handling(shop());
      await using running = await started(my.domain, { config });
      assertEquals(await my.domain.process(my.PlaceOrder, data), 0);
      assertEquals(await my.domain.process(my.PlaceOrder, data), 1);
      assertEquals((await outbox(running.runtime)).map(({ type }) => type), [
        "MyDomain.PlaceOrder.v1",
        "MyDomain.PlaceOrder.v1",
      ]);
      const stored = await running.runtime.eventStore?.read("my_domain::order:command-1", { limit: 10 });
      assertEquals(stored?.map(({ position }) => position), [0, 1]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a synchronous command is handled here: its events are sent, itself is only kept in the event store", async () => {
  const my = handling(shop());
  await using running = await started(my.domain);
  assertEquals(await my.domain.process(my.PlaceOrder, data, { asynchronous: false }), "placed 1");
  const messages = await outbox(running.runtime);
  assertEquals(messages.map(({ type }) => type), ["MyDomain.OrderPlaced.v1"]);
  const stored = await running.runtime.eventStore?.read("$all", { limit: 10 });
  assertEquals(stored?.map(({ type }) => type), ["MyDomain.PlaceOrder.v1", "MyDomain.OrderPlaced.v1"]);
  const command = JSON.parse(stored?.[0]?.metadata ?? "");
  assertEquals(command.domain.asynchronous, false);
  assertEquals(messages[0]?.metadata.domain.causation_id, command.headers.id);
  assertEquals(messages[0]?.metadata.domain.correlation_id, command.domain.correlation_id);
});

Deno.test("command_processing is the default that the option overrides", async () => {
  const my = handling(shop());
  await using _running = await started(my.domain, { config: inMemory({ command_processing: "sync" }) });
  assertEquals(await my.domain.process(my.PlaceOrder, data), "placed 1");
  assertEquals(await my.domain.process(my.PlaceOrder, { ...data, orderId: "2" }, { asynchronous: true }), 0);
});

Deno.test("a synchronous command that fails leaves nothing, not even in the event store", async () => {
  const my = handling(shop(), () => true);
  await using running = await started(my.domain);
  await assertRejects(
    () => my.domain.process(my.PlaceOrder, data, { asynchronous: false }),
    Error,
    "not today",
  );
  assertEquals(await outbox(running.runtime), []);
  assertEquals(await running.runtime.eventStore?.read("$all", { limit: 10 }), []);
});

for (const asynchronous of [true, false]) {
  Deno.test(`a repeated idempotency key has no effect (asynchronous: ${asynchronous})`, async () => {
    const my = handling(shop());
    const Other = my.domain.command("Other", { partOf: my.Order, schema: my.PlaceOrder.schema });
    await using running = await started(my.domain);
    const first = await my.domain.process(my.PlaceOrder, data, { idempotencyKey: "k", asynchronous });
    assertEquals(first, asynchronous ? 0 : "placed 1");
    assertEquals((await outbox(running.runtime)).length, 1);
    const again = { ...data, orderId: "2" };
    assertEquals(
      await my.domain.process(my.PlaceOrder, again, { idempotencyKey: "k", asynchronous }),
      undefined,
    );
    assertEquals(await outbox(running.runtime), []);
    await my.domain.process(my.PlaceOrder, again, { idempotencyKey: "l", asynchronous });
    await my.domain.process(Other, again, { idempotencyKey: "k", asynchronous: true });
    const [, other] = await outbox(running.runtime);
    assertEquals(other?.metadata.headers.idempotency_key, "k");
  });
}

Deno.test("a key is taken only by a command that succeeds", async () => {
  let broken = true;
  const my = handling(shop(), () => broken);
  await using _running = await started(my.domain);
  const options = { idempotencyKey: "k", asynchronous: false };
  await assertRejects(() => my.domain.process(my.PlaceOrder, data, options), Error, "not today");
  broken = false;
  assertEquals(await my.domain.process(my.PlaceOrder, data, options), "placed 1");
});

Deno.test("of two commands with one key at once, one has an effect", async () => {
  const my = handling(shop());
  await using running = await started(my.domain);
  const options = { idempotencyKey: "k" };
  await Promise.all([1, 2, 3].map(() => my.domain.process(my.PlaceOrder, data, options)));
  assertEquals((await outbox(running.runtime)).length, 1);
});

Deno.test("what cannot be processed is told at once, and nothing is sent", async () => {
  const my = shop();
  await using running = await started(my.domain);
  const { domain, PlaceOrder, OrderPlaced } = my;
  await assertRejects(
    () => domain.process(PlaceOrder, { orderId: "1" } as typeof data),
    ValidationError,
    "amount",
  );
  await assertRejects(() => domain.process(OrderPlaced, data), IncorrectUsageError, "is an event");
  await assertRejects(() => domain.publish(PlaceOrder, data), IncorrectUsageError, "is a command");
  const sync = { asynchronous: false };
  await assertRejects(
    () => domain.process(PlaceOrder, data, sync),
    IncorrectUsageError,
    "No command handler",
  );
  await assertRejects(() => domain.process(shop().PlaceOrder, data), IncorrectUsageError, "another domain");
  await assertRejects(() => domain.publish(OrderPlaced, data, { id: "" }), IncorrectUsageError, "is empty");
  const options = [
    { idempotencyKey: "" },
    { correlationId: "" },
    { priority: 0.5 },
    { timeoutMs: 0 },
    { timeoutMs: -1 },
    { timeoutMs: NaN },
    { timeoutMs: Infinity },
  ];
  for (const option of options) {
    await assertRejects(
      () => domain.process(PlaceOrder, data, option),
      IncorrectUsageError,
      Object.keys(option)[0],
    );
  }
  assertEquals(await outbox(running.runtime), []);
});

Deno.test("a command's own identity field must name somebody", async () => {
  const { domain, Order } = shop();
  const Do = domain.command("Do", {
    partOf: Order,
    identity: "target",
    schema: z.object({ target: z.string(), id: z.string() }),
  });
  await using running = await started(domain);
  await domain.process(Do, { target: "t", id: "i" });
  assertEquals((await outbox(running.runtime))[0]?.stream, "my_domain::order:command-t");
  const error = await assertRejects(() => domain.process(Do, { target: "", id: "i" }), ValidationError);
  assertEquals(error.issues.map(({ path }) => path), ["target"]);
});

Deno.test("another domain's event cannot be published", async () => {
  const { domain } = shop();
  const Paid = domain.externalEvent("Shop.Paid.v1", { schema: z.object({}) });
  await using running = await started(domain);
  await assertRejects(() => domain.publish(Paid, {}), IncorrectUsageError, "belongs to another domain");
  assert(running.runtime.messageType("Paid") === undefined);
});

Deno.test("send finds own messages by name and type string", async () => {
  const { domain, PlaceOrder } = shop();
  await using running = await started(domain);
  const { messageType, messageNames } = running.runtime;
  assertEquals(messageNames, ["OrderPlaced", "PlaceOrder"]);
  assertEquals(messageType("PlaceOrder"), PlaceOrder as unknown);
  assertEquals(messageType("MyDomain.PlaceOrder.v1"), PlaceOrder as unknown);
  assertEquals(messageType("placeorder"), undefined);
});
