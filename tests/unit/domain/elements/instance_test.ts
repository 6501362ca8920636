import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  ConfigurationError,
  Domain,
  IncorrectUsageError,
  type MessageType,
  NotSupportedError,
  ValidationError,
} from "@protean/server";
import { z } from "zod";
import { shop, started } from "../fixture.ts";

const placed = { id: "1", status: "placed", amount: 5 };

Deno.test("a new instance has version -1, its identity as id and the state that will be read back", () => {
  const domain = new Domain("d");
  const Visit = domain.aggregate("Visit", {
    identity: "no",
    schema: z.object({ no: z.number(), at: z.coerce.date(), kind: z.string().default("walk-in") }),
  });
  const visit = Visit.create({ no: 7, at: "2026-01-02" });
  assertEquals(visit.version, -1);
  assertEquals(visit.id, "7");
  assertEquals(visit.state, { no: 7, at: new Date("2026-01-02"), kind: "walk-in" });
});

Deno.test("an instance is independent of the object it was made from, and frozen", () => {
  const { Order } = shop();
  const given = { ...placed };
  const order = Order.create(given);
  given.status = "changed";
  assertEquals(order.state.status, "placed");
  assertThrows(() => ((order.state as { status: string }).status = "changed"), TypeError);
});

Deno.test("state without a usable identity is refused", () => {
  const domain = new Domain("d");
  const Thing = domain.aggregate("Thing", { schema: z.object({ id: z.unknown().optional() }) });
  for (const id of ["", null, undefined, {}, [], true]) {
    const error = assertThrows(() => Thing.create({ id }), ValidationError);
    assertEquals(error.issues.map(({ path }) => path), ["id"]);
  }
});

Deno.test("update changes some fields or all, and a refused change changes nothing", () => {
  const { Order } = shop();
  const order = Order.create(placed);
  order.update({ status: "shipped" });
  order.update((state) => ({ ...state, amount: state.amount + 1 }));
  assertEquals(order.state, { id: "1", status: "shipped", amount: 6 });
  assertThrows(() => order.update({ amount: "much" as unknown as number }), ValidationError, "amount");
  assertEquals(order.state, { id: "1", status: "shipped", amount: 6 });
  assertThrows(() => order.update({ id: "2" }), IncorrectUsageError, "identity");
});

Deno.test("update takes state whose schema reads text and gives something else", () => {
  const domain = new Domain("d");
  const Visit = domain.aggregate("Visit", {
    schema: z.object({
      id: z.string(),
      at: z.iso.datetime().transform((text) => new Date(text)),
      n: z.number(),
    }),
  });
  const visit = Visit.create({ id: "1", at: "2026-01-02T00:00:00.000Z", n: 1 });
  visit.update({ n: 2 });
  assertEquals(visit.state.at, new Date("2026-01-02"));
});

Deno.test("raise refuses bad payloads, commands, and events of other aggregates, domains and libraries", () => {
  const { domain, Order, OrderPlaced, PlaceOrder } = shop();
  const order = Order.create(placed);
  const raise = (event: unknown, data: unknown) =>
    order.raise(event as typeof OrderPlaced, data as { orderId: string; amount: number });
  const data = { orderId: "1", amount: 5 };
  assertThrows(() => raise(OrderPlaced, { orderId: "1" }), ValidationError, "The data of event OrderPlaced");
  assertThrows(() => raise(PlaceOrder, data), IncorrectUsageError, "is a command");
  assertThrows(() => raise({ ...OrderPlaced }, data), IncorrectUsageError, "not a message type");
  const other = domain.aggregate("Other", { schema: z.object({ id: z.string() }) });
  const Foreign = domain.event("Foreign", { partOf: other, schema: OrderPlaced.schema });
  assertThrows(
    () => raise(Foreign, data),
    ConfigurationError,
    "cannot raise Foreign, which is part of Other",
  );
  assertThrows(() => raise(shop().OrderPlaced, data), ConfigurationError);
  assertThrows(
    () => raise(domain.externalEvent("Shop.Paid.v1", { schema: z.object({}) }), {}),
    ConfigurationError,
  );
});

Deno.test("a payload must be an object, and small enough for one message", () => {
  const { domain, Order } = shop();
  const Text = domain.event("Text", { partOf: Order, schema: z.string() });
  const Note = domain.event("Note", { partOf: Order, schema: z.object({ text: z.string() }) });
  const order = Order.create(placed);
  assertThrows(() => order.raise(Text, "hello"), ValidationError, "must be an object");
  order.raise(Note, { text: "x".repeat(1_000_000) });
  const error = assertThrows(() => order.raise(Note, { text: "ä".repeat(2_000_000) }), ValidationError);
  assert(error.message.length < 300);
});

Deno.test("types carry names as on the wire", () => {
  const domain = new Domain("my_domain");
  const Item = domain.aggregate("OrderItem", { schema: z.object({ id: z.string() }) });
  const Cart = domain.aggregate("Cart", { schema: z.object({ id: z.string() }), streamCategory: "basket" });
  const event: MessageType = domain.event("ItemAdded", { partOf: Item, version: 3, schema: z.object({}) });
  assertEquals(Item.category, "my_domain::order_item");
  assertEquals(Cart.category, "my_domain::basket");
  assertEquals(event.typeString, "MyDomain.ItemAdded.v3");
  assertEquals([event.kind, event.name, event.version, event.partOf], ["event", "ItemAdded", 3, "OrderItem"]);
  const external = domain.externalEvent("Shop.Paid.v2", { schema: z.object({}) });
  assertEquals([external.name, external.version, external.partOf], ["Paid", 2, "(external)"]);
});

const { domain, Order } = shop();
const schema = z.object({ id: z.string() });
const foreign = new Domain("other").aggregate("Order", { schema });
const refused: Record<string, () => unknown> = {
  "an empty domain name": () => new Domain(""),
  "a domain name without a letter": () => new Domain("日本"),
  "a name with a hyphen": () => domain.aggregate("Order-Item", { schema }),
  "a name with a dot": () => domain.event("Order.Placed", { partOf: Order, schema }),
  "an empty name": () => domain.command("", { partOf: Order, schema }),
  "a handler name with a space": () => domain.eventHandler("My Handler", { partOf: Order, handles: [] }),
  "a category with a hyphen": () => domain.aggregate("Cart", { schema, streamCategory: "my-cart" }),
  "version 0": () => domain.event("Zero", { partOf: Order, schema, version: 0 }),
  "version 1.5": () => domain.event("Half", { partOf: Order, schema, version: 1.5 }),
  "an aggregate of another domain": () => domain.event("Foreign", { partOf: foreign, schema }),
  "a handler for an aggregate of another domain": () =>
    domain.eventHandler("F", { partOf: foreign, handles: [] }),
  "a projection of another domain": () =>
    domain.projector("P", { projection: new Domain("other").projection("V", { schema }), handles: [] }),
  "an aggregate nobody declared": () => domain.event("X", { partOf: { ...Order }, schema }),
  "a projection in two places": () =>
    domain.projection("P", { schema, provider: "default", cache: "default" }),
  "an external event without a type string": () => domain.externalEvent("Paid", { schema }),
  "an apply function": () => domain.event("Applied", { partOf: Order, schema, apply: (state) => state }),
};

for (const [name, declare] of Object.entries(refused)) {
  Deno.test(`a declaration with ${name} is refused at once`, () => {
    assertThrows(declare, IncorrectUsageError);
  });
}

Deno.test("what this version does not run yet says so in a sentence instead of pretending", () => {
  const { domain, Order } = shop();
  const declarations = [
    () => domain.aggregate("Account", { schema: Order.schema, eventSourced: true }),
    () =>
      domain.processManager("Fulfilment", { state: Order.schema, streamCategories: ["x"], steps: () => [] }),
  ];
  for (const declare of declarations) {
    assertMatch(assertThrows(declare, NotSupportedError).message, /this version/i);
  }
});

Deno.test("nothing works before init", async () => {
  const { domain, PlaceOrder } = shop();
  const data = { orderId: "1", amount: 5 };
  const error = await assertRejects(() => domain.process(PlaceOrder, data), IncorrectUsageError);
  assertStringIncludes(error.message, "await domain.init() first");
});

Deno.test("state is rendered once when it is made or changed, and not again to be saved", async () => {
  let rendered = 0;
  class Stamp {
    constructor(readonly at: string) {}
    toJSON(): string {
      rendered++;
      return this.at;
    }
  }
  const domain = new Domain("d");
  const Visit = domain.aggregate("Visit", {
    schema: z.object({ id: z.string(), n: z.number(), at: z.string().transform((at) => new Stamp(at)) }),
  });
  await using _running = await started(domain);
  const visit = Visit.create({ id: "1", n: 1, at: "now" });
  assertEquals(rendered, 1);
  await domain.unitOfWork((ctx) => ctx.repository(Visit).add(visit));
  assertEquals(rendered, 1);
  visit.update({ n: 2 });
  // The change is merged as JSON first.
  assertEquals(rendered, 3);
  await domain.unitOfWork((ctx) => ctx.repository(Visit).add(visit));
  assertEquals(rendered, 3);
});

Deno.test("what is read back is the state that the instance had, whatever its schema makes of it", async () => {
  const domain = new Domain("d");
  const Name = domain.aggregate("Name", {
    schema: z.object({ id: z.string(), text: z.string().transform((text) => `${text}!`) }),
  });
  await using _running = await started(domain);
  const name = Name.create({ id: "1", text: "a" });
  await domain.unitOfWork((ctx) => ctx.repository(Name).add(name));
  const stored = await domain.unitOfWork((ctx) => ctx.repository(Name).get("1"));
  assertEquals(stored.state, name.state);
});
