import { Domain, on, onAny } from "@protean/server";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { BaseCache } from "../../../lib/adapters/ports.ts";
import { checked, found, SERVERS, shop } from "./support.ts";

const schema = z.object({ id: z.string() });

Deno.test("an event without a handler and a command without one are told", async () => {
  const domain = shop((shop) => {
    const Invoice = shop.aggregate("Invoice", { schema });
    shop.event("InvoiceSent", { partOf: Invoice, schema });
    shop.event("InvoicePaid", { partOf: Invoice, schema, published: true });
    shop.command("SendInvoice", { partOf: Invoice, schema });
  });
  const { findings } = await checked(SERVERS, { domain });
  const told = findings.filter(({ code }) => ["UNHANDLED_EVENT", "UNUSED_COMMAND"].includes(code));
  assertEquals(told.map(({ code, element, level }) => [code, element, level]), [
    ["UNHANDLED_EVENT", "InvoiceSent", "warning"],
    ["UNUSED_COMMAND", "SendInvoice", "warning"],
  ]);
});

Deno.test("a catch-all of its category handles an event, one of another does not", async () => {
  for (const [category, codes] of [["shop::invoice", []], ["shop::order", ["InvoiceSent"]]] as const) {
    const domain = shop((shop) => {
      const Invoice = shop.aggregate("Invoice", { schema });
      shop.event("InvoiceSent", { partOf: Invoice, schema });
      shop.eventHandler("Everything", { streamCategory: category, handles: [onAny(() => {})] });
    });
    const told = await found("UNHANDLED_EVENT", SERVERS, { domain });
    assertEquals(told.map(({ element }) => element), [...codes]);
  }
});

Deno.test("published events without an external broker are told (wire 7.5)", async () => {
  const domain = shop((shop) => {
    const Invoice = shop.aggregate("Invoice", { schema });
    shop.event("InvoicePaid", { partOf: Invoice, schema, published: true });
  });
  const [told] = await found("PUBLISHED_NO_EXTERNAL_BROKER", SERVERS, { domain });
  assertStringIncludes(told?.message ?? "", "InvoicePaid is published");
  assertEquals(told?.element, "shop");
  const named = `${SERVERS}[outbox]\nexternal_brokers = ["default"]\n`;
  assertEquals(await found("PUBLISHED_NO_EXTERNAL_BROKER", named, { domain }), []);
});

Deno.test("a category that nobody publishes is told, with the one that may be meant", async () => {
  const domain = shop((shop) => {
    shop.eventHandler("Audit", { streamCategory: "shop::ordr", handles: [onAny(() => {})] });
    shop.eventHandler("Fine", { streamCategory: "elsewhere::order", handles: [onAny(() => {})] });
    shop.subscriber("Payments", { stream: "payments", handle: () => {} });
  });
  const told = await found("NOBODY_PUBLISHES", SERVERS, { domain });
  assertEquals(told.map(({ element }) => element), ["Audit"]);
  assertStringIncludes(told[0]?.message ?? "", "did you mean 'shop::order'?");
});

Deno.test("a handler of own events that reads another domain's category is told, twice over", async () => {
  const domain = shop((shop) => {
    const Invoice = shop.aggregate("Invoice", { schema });
    const InvoiceSent = shop.event("InvoiceSent", { partOf: Invoice, schema });
    shop.eventHandler("Lost", { streamCategory: "other::order", handles: [on(InvoiceSent, () => {})] });
  });
  const { findings } = await checked(SERVERS, { domain });
  const told = findings.filter(({ element }) => element === "Lost").map(({ code }) => code);
  assertEquals(told, ["EVENT_NOT_READ", "NOBODY_PUBLISHES"]);
});

Deno.test("what would end a start is an error, all of it at once", async () => {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema });
  const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema });
  const other = new Domain("other");
  const Foreign = other.event("Foreign", { partOf: other.aggregate("Thing", { schema }), schema });
  domain.commandHandler("First", { partOf: Order, handles: [on(PlaceOrder, () => {})] });
  domain.commandHandler("Second", { partOf: Order, handles: [on(PlaceOrder, () => {})] });
  domain.eventHandler("Third", { partOf: Order, handles: [on(Foreign, () => {})] });
  const { findings, isBroken } = await checked("", { domain });
  const errors = findings.filter(({ level }) => level === "error").map(({ code }) => code);
  assertEquals([errors, isBroken], [["CONFIG_COMMAND_HANDLED_TWICE", "CONFIG_UNKNOWN_TYPE"], false]);
});

Deno.test("a setting that cannot keep its promise is an error", async () => {
  const domain = shop((shop) => {
    const Invoice = shop.aggregate("Invoice", { schema });
    const InvoiceSent = shop.event("InvoiceSent", { partOf: Invoice, schema });
    shop.eventHandler("Ordered", {
      partOf: Invoice,
      subscriptionType: "event_store",
      sequentialBy: "id",
      handles: [on(InvoiceSent, () => {})],
    });
  });
  const [told] = await found("CONFIG_NOT_SUPPORTED", "", { domain });
  assertEquals(told?.level, "error");
  assertStringIncludes(told?.message ?? "", "Ordered sets sequentialBy");
});

const reading = shop((domain) => {
  const Invoice = domain.aggregate("Invoice", { schema });
  const InvoiceSent = domain.event("InvoiceSent", { partOf: Invoice, schema });
  domain.eventHandler("Ledger", {
    partOf: Invoice,
    subscriptionType: "event_store",
    handles: [on(InvoiceSent, () => {})],
  });
});
const locks: readonly (readonly [toml: string, workers: number, replicas: number, isTold: boolean])[] = [
  ["", 4, 1, false],
  ["", 1, 2, true],
  ['[databases.default]\nprovider = "memory"\n', 2, 1, true],
  ['[databases.default]\nprovider = "memory"\n', 1, 1, false],
  [`${SERVERS}[event_store]\nprovider = "sqlite"\ndatabase_uri = "sqlite:///e.db"\n`, 4, 4, false],
];
for (const [toml, workers, replicas, isTold] of locks) {
  const where = /provider = "(\w+)"/.exec(toml)?.[1] ?? "sqlite";
  Deno.test(`${replicas} × ${workers} readers of an event store on ${where} ${isTold ? "do not share" : "share"} a lock`, async () => {
    const told = await found("EVENT_STORE_MULTIWORKER", toml, {
      domain: reading,
      scale: { workers, replicas },
    });
    assertEquals(told.map(({ element }) => element), isTold ? ["Ledger"] : []);
  });
}

Deno.test("an adapter that throws in its constructor is told and breaks the configuration, whatever it throws", async () => {
  for (const thrown of [new TypeError("no shelf"), "no shelf"]) {
    class Shelf extends BaseCache {
      constructor(...args: ConstructorParameters<typeof BaseCache>) {
        super(...args);
        throw thrown;
      }
      override ping = () => Promise.resolve();
      override get = () => Promise.resolve(undefined);
      override set = () => Promise.resolve();
      override delete = () => Promise.resolve(false);
      override ttl = () => Promise.resolve(undefined);
      override keys = () => Promise.resolve([]);
    }
    const domain = shop((shop) => shop.registerAdapter("cache", "shelf", Shelf));
    const { findings, isBroken } = await checked('[caches.default]\nprovider = "shelf"\n', { domain });
    const told = findings.filter(({ level }) => level === "error");
    assertEquals([told.map(({ code, key }) => [code, key]), isBroken], [[[
      "ADAPTER_FAILED",
      "caches.default",
    ]], true]);
    assertStringIncludes(told[0]?.message ?? "", "no shelf");
  }
});

for (
  const [what, need] of [
    ["throws", () => {
      throw new Error("no idea");
    }],
    ["returns no need", () => ({ server: "shelf:1" })],
    ["returns no number", () => ({ server: "shelf:1", pool: "5", overflow: 0, beside: [] })],
    ["returns a promise", () => Promise.resolve(undefined)],
  ] as const
) {
  Deno.test(`an adapter whose connectionNeed() ${what} breaks the configuration, not the check`, async () => {
    let isClosed = false;
    class Shelf extends BaseCache {
      override ping = () => Promise.resolve();
      override get = () => Promise.resolve(undefined);
      override set = () => Promise.resolve();
      override delete = () => Promise.resolve(false);
      override ttl = () => Promise.resolve(undefined);
      override keys = () => Promise.resolve([]);
      override close = () => {
        isClosed = true;
        return Promise.resolve();
      };
    }
    // As JavaScript may have it, which no compiler has seen.
    Object.assign(Shelf.prototype, { connectionNeed: need });
    const domain = shop((shop) => shop.registerAdapter("cache", "shelf", Shelf));
    const { findings, isBroken } = await checked('[caches.default]\nprovider = "shelf"\n', { domain });
    const told = findings.filter(({ level }) => level === "error");
    assertEquals(told.map(({ code, key }) => [code, key]), [["ADAPTER_FAILED", "caches.default"]]);
    assertEquals([isBroken, isClosed], [true, true]);
    assertStringIncludes(told[0]?.message ?? "", "connectionNeed()");
  });
}

Deno.test("check makes no file, and the domain can be started afterwards", async () => {
  const folder = await Deno.makeTempDir({ prefix: "protean-check-" });
  try {
    const domain = shop();
    await checked("", { domain, variables: { PROTEAN_DATA_DIR: folder } });
    assertEquals([...Deno.readDirSync(folder)], []);
    await domain.init({ config: { databases: { default: { provider: "memory" } } } });
    await domain.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
