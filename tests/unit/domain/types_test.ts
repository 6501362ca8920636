/** Compile-time tests of the public types (spec: api.d.ts): what must infer, and what must not compile. */
import { type Context, Domain, type Instance, on, onAny, type View } from "@protean/server";
import { z } from "zod";

/** True when both types are the same, also where one of them is `any`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles only if the value's type is exactly `Expected`; the value itself is never looked at. */
function expectType<Expected>() {
  return <Actual>(_value: Actual, _same: Same<Actual, Expected>): void => {};
}

const domain = new Domain("types");
const Order = domain.aggregate("Order", {
  schema: z.object({ id: z.string(), status: z.enum(["placed", "shipped"]), placedAt: z.coerce.date() }),
});
const Payment = domain.aggregate("Payment", { schema: z.object({ no: z.number() }), identity: "no" });
const OrderPlaced = domain.event("OrderPlaced", {
  partOf: Order,
  schema: z.object({ orderId: z.string(), amount: z.number(), note: z.string().default("none") }),
});
const PaymentReceived = domain.event("PaymentReceived", {
  partOf: Payment,
  schema: z.object({ no: z.number() }),
});
const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema: z.object({ orderId: z.string() }) });
const Paid = domain.externalEvent("Shop.Paid.v1", { schema: z.object({ sum: z.number() }) });
const Summary = domain.projection("Summary", {
  schema: z.object({ id: z.string(), count: z.coerce.number() }),
});

const place = { orderId: "1", amount: 5 };
const state = { id: "1", status: "placed", placedAt: "2026-01-01" } as const;

/** Never called: compiling is the test. */
export async function inContext(ctx: Context): Promise<void> {
  const orders = ctx.repository(Order);
  const order = await orders.get("1");
  expectType<Instance<typeof Order.schema, "Order">>()(order, true);
  expectType<Date>()(order.state.placedAt, true);
  expectType<"placed" | "shipped">()(order.state.status, true);
  order.update({ status: "shipped" });
  order.update((old) => ({ ...old, status: "shipped" }));
  order.raise(OrderPlaced, place);
  await orders.add(Order.create(state));

  // @ts-expect-error the state has no such status
  order.update({ status: "lost" });
  // @ts-expect-error the state has no such field
  order.update({ colour: "red" });
  // @ts-expect-error state is changed by update
  order.state.status = "shipped";
  // @ts-expect-error the payload lacks 'amount'
  order.raise(OrderPlaced, { orderId: "1" });
  // @ts-expect-error the event belongs to another aggregate
  order.raise(PaymentReceived, { no: 1 });
  // @ts-expect-error another domain's event is nobody's to raise
  order.raise(Paid, { sum: 1 });
  // @ts-expect-error instances of one aggregate do not go into the repository of another
  await ctx.repository(Payment).add(order);
  // @ts-expect-error ids are text
  await orders.get(1);

  const view = ctx.view(Summary);
  expectType<View<typeof Summary.schema>>()(view, true);
  expectType<{ id: string; count: number } | undefined>()(await view.get("1"), true);
  expectType<{ id: string; count: number }[]>()(await view.list({ limit: 5 }), true);
  await view.put({ id: "1", count: "5" });
  // @ts-expect-error the row lacks 'count'
  await view.put({ id: "1" });

  const rows = await ctx.sql<{ n: number }>`select ${1} as n from ${ctx.sql("shop.order")}`;
  expectType<{ n: number }[]>()(rows, true);
  expectType<Record<string, unknown>[]>()(await ctx.sql`select 1`, true);

  await ctx.process(PlaceOrder, { orderId: "1" });
  await ctx.publish(OrderPlaced, place, { id: "1" });
  // @ts-expect-error the payload has another type
  await ctx.process(PlaceOrder, { orderId: 1 });
  // @ts-expect-error an aggregate is not a message
  await ctx.publish(Order, place);
}

/** Never called: compiling is the test. */
export async function onDomain(): Promise<void> {
  expectType<unknown>()(await domain.process(PlaceOrder, { orderId: "1" }, { asynchronous: false }), true);
  expectType<string>()(await domain.publish(OrderPlaced, place), true);
  expectType<number>()(await domain.unitOfWork(() => Promise.resolve(5)), true);
  expectType<readonly Error[]>()(await domain.close(), true);
  // @ts-expect-error there is no such option
  await domain.process(PlaceOrder, { orderId: "1" }, { async: true });
  // @ts-expect-error the output's default does not make 'orderId' optional
  await domain.publish(OrderPlaced, { amount: 1 });
}

/** Never called: compiling is the test. */
export function declarations(other: Domain): void {
  const handlings = [
    on(OrderPlaced, (event, ctx) => {
      expectType<Readonly<{ orderId: string; amount: number; note: string }>>()(event, true);
      expectType<Context>()(ctx, true);
    }),
    on(Paid, ({ sum }) => expectType<number>()(sum, true)),
    onAny((payload) => expectType<unknown>()(payload, true)),
    // @ts-expect-error the event has no such field
    on(OrderPlaced, ({ colour }) => colour),
  ];
  other.eventHandler("ByAggregate", { partOf: Order, handles: handlings, subscriptionType: "stream" });
  other.eventHandler("ByCategory", { streamCategory: "shop::order", handles: handlings });
  // @ts-expect-error an event handler says what it listens to
  other.eventHandler("Nowhere", { handles: handlings });
  // @ts-expect-error a command handler belongs to an aggregate
  other.commandHandler("Nobody", { streamCategory: "shop::order", handles: handlings });
  // @ts-expect-error there is no such subscription type
  other.eventHandler("Typo", { partOf: Order, handles: handlings, subscriptionType: "steam" });
  // @ts-expect-error an event is part of an aggregate
  other.event("Homeless", { schema: z.object({}) });
  // @ts-expect-error upcasters are keyed by number
  other.event("Upcast", { partOf: Order, schema: z.object({}), upcasters: { one: (data) => data } });
  other.event("Applied", {
    partOf: Order,
    schema: z.object({ at: z.coerce.date() }),
    apply: (old, event) => ({ ...old, placedAt: event.at }),
  });
  other.processManager("Fulfilment", {
    state: z.object({ paid: z.boolean() }),
    streamCategories: ["types::order"],
    steps: (step) => [
      step(OrderPlaced, {
        correlate: (event) => event.orderId,
        start: true,
        handle: (pm) => expectType<boolean>()(pm.state.paid, true),
      }),
      // @ts-expect-error a correlation is text
      step(PaymentReceived, { correlate: (event) => event.no, handle: () => {} }),
    ],
  });
}

Deno.test("the public types infer from any schema, and wrong uses do not compile", () => {
  expectType<"Order">()(OrderPlaced.partOf, true);
  expectType<"(external)">()(Paid.partOf, true);
});
