import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { OrderGate } from "../../../lib/subscription/order_gate.ts";

Deno.test("lets one item of a key in and hands out the others in order", () => {
  const gate = new OrderGate<number>();
  assertEquals([gate.enter("a", 1), gate.enter("a", 2), gate.enter("b", 3), gate.enter("a", 4)], [
    true,
    false,
    true,
    false,
  ]);
  assertEquals([gate.leave("a"), gate.leave("b"), gate.leave("a"), gate.leave("a")], [
    2,
    undefined,
    4,
    undefined,
  ]);
  assertEquals(gate.enter("a", 5), true);
});

Deno.test("every item passes once, in order of its key, whatever the interleaving", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), leave: fc.boolean() })),
      (steps) => {
        const gate = new OrderGate<number>();
        const inside = new Map<string, number>();
        const passed = new Map<string, number[]>();
        const entered = new Map<string, number[]>();
        const admit = (key: string, item: number) => {
          assertEquals(inside.has(key), false);
          inside.set(key, item);
          passed.set(key, [...passed.get(key) ?? [], item]);
        };
        const leave = (key: string) => {
          inside.delete(key);
          const next = gate.leave(key);
          if (next !== undefined) admit(key, next);
        };
        steps.forEach(({ key, leave: leaves }, item) => {
          entered.set(key, [...entered.get(key) ?? [], item]);
          if (gate.enter(key, item)) admit(key, item);
          if (leaves && inside.has(key)) leave(key);
        });
        while (inside.size > 0) for (const key of [...inside.keys()]) leave(key);
        assertEquals(passed, entered);
      },
    ),
  );
});
