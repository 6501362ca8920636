/** What `init` refuses about the elements of a domain, all at once. */
import { assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError, type Domain, on, onAny } from "@protean/server";
import { z } from "zod";
import { inMemory, type Shop, shop } from "../fixture.ts";

const schema = z.object({ id: z.string() });
const nothing = () => {};

const refused: Record<string, [string, (my: Shop) => void]> = {
  "two aggregates of one name": [
    "CONFIG_DUPLICATE_ELEMENT",
    ({ domain }) => domain.aggregate("Order", { schema }),
  ],
  "two aggregates on one stream category": [
    "CONFIG_DUPLICATE_ELEMENT",
    ({ domain }) => domain.aggregate("Purchase", { schema, streamCategory: "order" }),
  ],
  "a projection and an aggregate in one table": [
    "CONFIG_DUPLICATE_ELEMENT",
    ({ domain }) => domain.aggregate("ViewCounter", { schema }),
  ],
  "an event and a command of one name": [
    "CONFIG_DUPLICATE_ELEMENT",
    ({ domain, Order }) => domain.command("OrderPlaced", { partOf: Order, schema }),
  ],
  "two versions of one event": [
    "CONFIG_DUPLICATE_ELEMENT",
    ({ domain, Order }) => domain.event("OrderPlaced", { partOf: Order, schema, version: 2 }),
  ],
  "two handlers of one name": ["CONFIG_DUPLICATE_ELEMENT", ({ domain, Order, OrderPlaced, Counter }) => {
    domain.eventHandler("Same", { partOf: Order, handles: [on(OrderPlaced, nothing)] });
    domain.projector("Same", {
      projection: Counter,
      streamCategories: ["a"],
      handles: [on(OrderPlaced, nothing)],
    });
  }],
  "a table name that PostgreSQL would cut off": [
    "CONFIG_NAME_TOO_LONG",
    ({ domain }) => domain.aggregate(`A${"a".repeat(50)}`, { schema }),
  ],
  "an upcaster from its own version": [
    "CONFIG_UPCASTER",
    ({ domain, Order }) =>
      domain.event("New", { partOf: Order, schema, version: 2, upcasters: { 2: (row) => row } }),
  ],
  "a handler without methods": [
    "CONFIG_HANDLES_NOTHING",
    ({ domain, Order }) => domain.eventHandler("Idle", { partOf: Order, handles: [] }),
  ],
  "a handler of a type that nobody registered": [
    "CONFIG_UNKNOWN_TYPE",
    ({ domain, Order }) => {
      const handles = [{ type: "Shop.Paid.v1", handle: nothing }];
      domain.eventHandler("Events", { partOf: Order, handles });
    },
  ],
  "an event handler of a command": [
    "CONFIG_WRONG_KIND",
    ({ domain, Order, PlaceOrder }) =>
      domain.eventHandler("E", { partOf: Order, handles: [on(PlaceOrder, nothing)] }),
  ],
  "a command handler of an event": [
    "CONFIG_WRONG_KIND",
    ({ domain, Order, OrderPlaced }) =>
      domain.commandHandler("C", { partOf: Order, handles: [on(OrderPlaced, nothing)] }),
  ],
  "a command handler with a catch-all": [
    "CONFIG_COMMAND_CATCH_ALL",
    ({ domain, Order }) => domain.commandHandler("C", { partOf: Order, handles: [onAny(nothing)] }),
  ],
  "two handlers for one command": ["CONFIG_COMMAND_HANDLED_TWICE", ({ domain, Order, PlaceOrder }) => {
    domain.commandHandler("One", { partOf: Order, handles: [on(PlaceOrder, nothing)] });
    domain.commandHandler("Two", { partOf: Order, handles: [on(PlaceOrder, nothing)] });
  }],
  "two methods for one command": [
    "CONFIG_COMMAND_HANDLED_TWICE",
    ({ domain, Order, PlaceOrder }) =>
      domain.commandHandler("C", {
        partOf: Order,
        handles: [on(PlaceOrder, nothing), on(PlaceOrder, nothing)],
      }),
  ],
  "two handlers in one group on one category": ["CONFIG_SHARED_GROUP", ({ domain, Order, OrderPlaced }) => {
    const options = { partOf: Order, consumerGroup: "shared", handles: [on(OrderPlaced, nothing)] };
    domain.eventHandler("One", options);
    domain.eventHandler("Two", options);
  }],
  "a projector that reads nowhere": ["CONFIG_NO_CATEGORY", ({ domain, Counter }) => {
    const Paid = domain.externalEvent("Shop.Paid.v1", { schema });
    domain.projector("P", { projection: Counter, handles: [on(Paid, nothing)] });
  }],
  "an aggregate whose schema validates asynchronously": [
    "CONFIG_ASYNC_SCHEMA",
    ({ domain }) => domain.aggregate("Slow", { schema: schema.refine(() => Promise.resolve(true)) }),
  ],
  "an external event whose schema validates asynchronously": [
    "CONFIG_ASYNC_SCHEMA",
    ({ domain }) =>
      domain.externalEvent("Shop.Slow.v1", { schema: schema.refine(() => Promise.resolve(true)) }),
  ],
};

async function codes(domain: Domain): Promise<string[]> {
  const error = await assertRejects(() => domain.init({ config: inMemory() }), ConfigurationError);
  for (const { message } of error.problems) assertEquals(message.includes("\n"), false);
  return error.problems.map(({ code }) => code);
}

for (const [name, [expected, declare]] of Object.entries(refused)) {
  Deno.test(`init refuses ${name}`, async () => {
    const my = shop();
    declare(my);
    assertEquals(await codes(my.domain), [expected]);
  });
}

Deno.test("init tells every problem at once", async () => {
  const my = shop();
  refused["a handler without methods"]?.[1](my);
  refused["two handlers for one command"]?.[1](my);
  refused["an upcaster from its own version"]?.[1](my);
  assertEquals(await codes(my.domain), [
    "CONFIG_UPCASTER",
    "CONFIG_HANDLES_NOTHING",
    "CONFIG_COMMAND_HANDLED_TWICE",
  ]);
});

Deno.test("the same group name on different categories is two groups", async () => {
  const { domain } = shop();
  for (const [name, streamCategory] of [["One", "a::b"], ["Two", "a::c"]] as const) {
    domain.eventHandler(name, { streamCategory, consumerGroup: "shared", handles: [onAny(nothing)] });
  }
  await domain.init({ config: inMemory() });
  await domain.close();
});
