/** What workers tell of themselves, whatever release they are of, and the places that they have. */
import { assertEquals } from "@std/assert";
import { Slots } from "../../../lib/observatory/slots.ts";
import { subscriptionKey, togetherOf, workersOf } from "../../../lib/observatory/workers.ts";
import { worker } from "./support.ts";

Deno.test("a worker of another release tells what can be understood of it, and breaks nothing", () => {
  const fields = (over: Record<string, string>) => ({ domain: "shop", ...over });
  const found = workersOf([
    { id: "other", ageMs: 0, fields: { domain: "billing" } },
    { id: "old", ageMs: 1, fields: fields({}) },
    { id: "odd", ageMs: 2, fields: fields({ started: "soon", subscriptions: "[1,null", pools: "7" }) },
    {
      id: "new",
      ageMs: 3,
      fields: fields({
        started: "1970-01-01T00:00:02.000Z",
        event_loop_delay_ms: "1.5",
        subscriptions: JSON.stringify({
          a: {
            handler: "Notes",
            category: "c",
            state: "paused",
            in_flight: "x",
            retrying: 2,
            breaker: "molten",
          },
          b: { handler: 1, category: "c" },
          c: null,
        }),
        pools: JSON.stringify({
          default: { size: 1, checkedOut: 1, overflow: 0, checkedIn: 0 },
          odd: { size: 1 },
        }),
      }),
    },
  ], "shop");
  const nothing = { started: undefined, loopDelayMs: undefined, subscriptions: [], pools: [] };
  assertEquals(found, [
    { id: "old", ageMs: 1, ...nothing },
    { id: "odd", ageMs: 2, ...nothing },
    {
      id: "new",
      ageMs: 3,
      started: 2_000,
      loopDelayMs: 1.5,
      subscriptions: [{
        ...{ handler: "Notes", category: "c", paused: true, inFlight: 0, retrying: 2 },
        ...{ lastPollAgeMs: undefined, breaker: undefined },
      }],
      pools: [{ name: "default", size: 1, checkedOut: 1, overflow: 0, checkedIn: 0 }],
    },
  ]);
});

Deno.test("of several workers the sums, the longest silence and the worst breaker count", () => {
  const [one] = worker().subscriptions;
  const other = { ...worker().subscriptions[0], paused: true, lastPollAgeMs: 900, breaker: "open" as const };
  const together = togetherOf([
    worker({ subscriptions: one ? [one] : [] }),
    worker({
      subscriptions: [{ ...other, handler: "Notes", category: "shop::order", inFlight: 3, retrying: 0 }],
    }),
  ]);
  assertEquals(together.get(subscriptionKey("Notes", "shop::order")), {
    ...{ workers: 2, inFlight: 5, retrying: 1, paused: true, lastPollAgeMs: 900, breaker: "open" },
  });
});

Deno.test("a worker keeps its place while it is there, and another one gets it afterwards", () => {
  const slots = new Slots();
  const of = (...ids: string[]) => Object.fromEntries(slots.of(ids));
  assertEquals(of("b", "a"), { b: 1, a: 2 });
  assertEquals(of("a", "c", "b"), { b: 1, a: 2, c: 3 });
  assertEquals(of("d", "c", "a"), { d: 1, a: 2, c: 3 });
  assertEquals(of(), {});
});
