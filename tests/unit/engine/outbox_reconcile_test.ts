/** Events of the event store without rows in the outbox get them at the start of a server (S58, wire 3.8). */
import { assertEquals } from "@std/assert";
import { z } from "zod";
import type { EventAppend } from "../../../lib/adapters/ports.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { OutboxReconcile } from "../../../lib/engine/outbox_reconcile.ts";
import { commandMetadata, eventMetadata } from "../../../lib/message/metadata.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { Domain, on } from "../../../lib/mod.ts";
import { Engine } from "../../../lib/engine/engine.ts";

const memory = { provider: "memory" };
const schema = z.object({ id: z.string() });
const HOUR_MS = 3_600_000;

function shop() {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema, published: true });
  const OrderSeen = domain.event("OrderSeen", {
    ...{ partOf: Order, schema, version: 2, upcasters: { 1: (data) => data } },
  });
  const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema });
  const handled: string[] = [];
  domain.eventHandler("Works", {
    partOf: Order,
    handles: [on(OrderPlaced, ({ id }) => void handled.push(id)), on(OrderSeen, () => {})],
  });
  domain.commandHandler("Places", { partOf: Order, handles: [on(PlaceOrder, () => {})] });
  return { domain, OrderPlaced, handled };
}

async function opened() {
  const made = shop();
  await made.domain.init({
    config: {
      databases: { default: memory },
      brokers: { default: memory, partners: memory },
      caches: { default: memory },
      event_store: memory,
      outbox: { external_brokers: ["partners"] },
      server: { health: { enabled: false } },
    },
  });
  const runtime = runtimeOf(made.domain);
  const main = runtime.providers.get("default");
  if (!main || !runtime.eventStore) throw new Error("there is no provider");
  const rows = async () =>
    (await main.outbox.list({ limit: 99 })).map((row) =>
      `${row.messageId} ${row.targetBroker} ${row.status}`
    );
  const start = async () => {
    const service = new OutboxReconcile(runtime);
    await service.start();
    await service.stop();
  };
  return { ...made, runtime, store: runtime.eventStore, main, rows, start };
}

/** An event that somebody has appended, and nothing else. */
function stored(n: number, type = "Shop.OrderPlaced.v1", stream = `shop::order-${n}`): EventAppend {
  const [category = ""] = stream.split("-");
  const metadata = eventMetadata({ ...{ id: `e${n}`, type, stream, category, time: 0, checksum: null } });
  return { stream, type, data: `{"id":"${n}"}`, metadata, expectedVersion: undefined };
}

Deno.test("S58: an event without a row gets one for each broker, once, and is handled", async () => {
  const { domain, store, rows, start, handled } = await opened();
  await store.append([stored(1)]);
  await start();
  await start();
  assertEquals((await rows()).sort(), ["e1 default pending", "e1 partners pending"]);
  assertEquals(await new Engine(domain, { once: true }).run(), 0);
  assertEquals(handled, ["1"]);
});

Deno.test("a server that ends when there is nothing to do has looked for such events first", async () => {
  const { domain, store, handled } = await opened();
  await store.append([stored(1)]);
  assertEquals(await new Engine(domain, { once: true }).run(), 0);
  assertEquals(handled, ["1"]);
});

Deno.test("S58: what has its row, commands, records, other domains' and unknown events get none", async () => {
  const { domain, OrderPlaced, store, rows, start } = await opened();
  const id = await domain.publish(OrderPlaced, { id: "0" });
  const command = commandMetadata({
    ...{ id: "c1", type: "Shop.PlaceOrder.v1", stream: "shop::order:command-1", time: 0, checksum: null },
  });
  await store.append([
    stored(1, "Billing.Paid.v1", "billing::bill-1"),
    stored(2, "Shop.OrderLost.v1"),
    stored(3, "Shop.OrderSeen.v3"),
    {
      ...{
        stream: "shop::order:command-1",
        type: "Shop.PlaceOrder.v1",
        data: '{"id":"1"}',
        metadata: command,
      },
      expectedVersion: undefined,
    },
    {
      ...{ stream: "position-x-y", type: "Read", data: '{"position":1}', expectedVersion: undefined },
      metadata: {
        headers: { id: "r", type: "Read", time: "", stream: "position-x-y" },
        domain: {
          ...{ kind: "READ_POSITION", origin_stream: "shop::order" },
        },
      },
    },
  ]);
  await start();
  assertEquals((await rows()).sort(), [`${id} default pending`, `${id} partners pending`]);
  await store.append([stored(4, "Shop.OrderSeen.v1"), stored(5, "Shop.OrderSeen.v2")]);
  await start();
  assertEquals((await rows()).slice(2), ["e4 default pending", "e5 default pending"]);
  await domain.close();
});

Deno.test("S58: an event older than the shorter retention gets no row", async () => {
  const { domain, runtime, store, rows } = await opened();
  await store.append([stored(1)]);
  const { clock } = runtime;
  const at = (ms: number) => {
    const now = () => clock.now() + ms;
    const after = (wait: number, callback: () => void) => clock.after(wait, callback);
    return { ...runtime, clock: { now, after, monotonic: () => clock.monotonic() } };
  };
  for (const hours of [169, 167]) {
    const service = new OutboxReconcile(at(hours * HOUR_MS));
    await service.start();
    await service.stop();
    assertEquals((await rows()).length, hours === 169 ? 0 : 2);
  }
  await domain.close();
});

Deno.test("rows that were removed are not made again where an event after them has its row", async () => {
  const { domain, OrderPlaced, store, rows, start } = await opened();
  await store.append([stored(1)]);
  const id = await domain.publish(OrderPlaced, { id: "2" });
  await start();
  assertEquals((await rows()).length, 2);
  await store.append([stored(3)]);
  await start();
  assertEquals((await rows()).map((row) => row.split(" ")[0]), [id, id, "e3", "e3"]);
  await domain.close();
});

Deno.test("a database that is away is asked again, and the start does not wait for it", async () => {
  const { domain, runtime, store, main, rows } = await opened();
  await store.append([stored(1)]);
  const present = main.outbox.present?.bind(main.outbox);
  let asked = 0;
  main.outbox.present = (ids, broker) =>
    ++asked > 1 && present ? present(ids, broker) : Promise.reject(new Error("away"));
  const clock = new FakeClock();
  const service = new OutboxReconcile({ ...runtime, clock });
  await service.start();
  assertEquals((await rows()).length, 0);
  await clock.advance(5_000);
  assertEquals((await rows()).length, 2);
  await service.stop();
  await domain.close();
});
