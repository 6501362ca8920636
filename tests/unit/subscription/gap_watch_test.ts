/** Reading all of the store without missing what is committed late (wire 4.7). */
import { assertEquals } from "@std/assert";
import { GapWatch } from "../../../lib/subscription/gap_watch.ts";

function at(...positions: number[]) {
  return positions.map((globalPosition) => ({ globalPosition }));
}

function positionsOf({ messages }: { readonly messages: readonly { readonly globalPosition: number }[] }) {
  return messages.map(({ globalPosition }) => globalPosition);
}

Deno.test("what has no gap before it is handled", () => {
  const watch = new GapWatch("all", 5);
  const settled = watch.settle(at(1, 2, 3), -1, 0);
  assertEquals([positionsOf(settled), settled.position, settled.waitMs], [[1, 2, 3], 3, undefined]);
  const none = watch.settle([], 3, 0);
  assertEquals([none.messages, none.position, none.waitMs], [[], 3, undefined]);
});

Deno.test("what is behind a gap waits until the gap is filled", () => {
  const watch = new GapWatch("all", 5);
  const held = watch.settle(at(1, 2, 5, 6), 0, 1000);
  assertEquals([positionsOf(held), held.position, held.waitMs], [[1, 2], 2, 5000]);
  const partly = watch.settle(at(3, 5, 6), 2, 3000);
  assertEquals([positionsOf(partly), partly.position, partly.waitMs], [[3], 3, 3000]);
  const filled = watch.settle(at(4, 5, 6), 3, 3500);
  assertEquals([positionsOf(filled), filled.position, filled.waitMs], [[4, 5, 6], 6, undefined]);
});

Deno.test("a gap is given up when it was there for too long, each of a read since then", () => {
  const watch = new GapWatch("all", 5);
  assertEquals(positionsOf(watch.settle(at(2, 4, 8), -1, 0)), []);
  assertEquals(watch.settle(at(2, 4, 8), -1, 4999).waitMs, 1);
  const settled = watch.settle(at(2, 4, 8), -1, 5000);
  assertEquals([positionsOf(settled), settled.position, settled.waitMs], [[2, 4, 8], 8, undefined]);
});

Deno.test("a gap that is seen later is waited for from then on", () => {
  const watch = new GapWatch("all", 5);
  assertEquals(positionsOf(watch.settle(at(1, 3), 0, 0)), [1]);
  const settled = watch.settle(at(3, 5), 1, 5000);
  assertEquals([positionsOf(settled), settled.position, settled.waitMs], [[3], 3, 5000]);
});

Deno.test("what was missed is forgotten when a read brings nothing", () => {
  const watch = new GapWatch("all", 5);
  watch.settle(at(2), 0, 0);
  watch.settle([], 0, 1000);
  assertEquals(watch.settle(at(2), 0, 5000).waitMs, 5000);
});

Deno.test("without a timeout no gap is waited for", () => {
  const settled = new GapWatch("all", 0).settle(at(7, 9), -1, 0);
  assertEquals([positionsOf(settled), settled.waitMs], [[7, 9], undefined]);
});
