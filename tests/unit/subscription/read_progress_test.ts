import { assertEquals } from "@std/assert";
import { ReadProgress } from "../../../lib/subscription/read_progress.ts";
import fc from "../../support/property.ts";

/** The same, told message by message. */
class Model {
  readonly items: { readonly position: number; readonly counts: boolean; isOver: boolean }[] = [];

  state() {
    const open = this.items.findIndex(({ isOver }) => !isOver);
    const covered = open < 0 ? this.items : this.items.slice(0, open);
    const messages = (items: typeof this.items) =>
      items.filter(({ counts, isOver }) => counts && isOver).length;
    return [covered.at(-1)?.position ?? -1, messages(this.items), messages(covered)];
  }
}

Deno.test("the position is that of the last message before which nothing is open, whatever order they end in", () => {
  const step = fc.tuple(fc.constantFrom("begin", "pass", "record", "end"), fc.nat(1_000));
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const progress = new ReadProgress(-1);
    const model = new Model();
    let next = 0;
    for (const [what, number] of steps) {
      if (what === "end") {
        const open = model.items.filter(({ isOver }) => !isOver);
        const ends = open[number % Math.max(1, open.length)];
        if (!ends) continue;
        ends.isOver = true;
        progress.end(ends.position);
      } else {
        next += 1 + number % 3;
        const counts = what !== "record";
        model.items.push({ position: next, counts, isOver: what !== "begin" });
        if (what === "begin") progress.begin(next);
        else progress.pass(next, counts);
      }
      assertEquals([progress.position, progress.ended, progress.covered], model.state());
    }
  }));
});

Deno.test("a message that takes its time keeps one piece of all that ends behind it", () => {
  const progress = new ReadProgress(-1);
  progress.begin(0);
  for (let position = 1; position < 50_000; position++) {
    progress.begin(position);
    progress.end(position);
  }
  assertEquals([progress.pieces, progress.position], [2, -1]);
  progress.end(0);
  assertEquals([progress.pieces, progress.position, progress.covered], [0, 49_999, 50_000]);
});
