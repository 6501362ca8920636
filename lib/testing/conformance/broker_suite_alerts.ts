/**
 * Rules of what is kept of alerts: of two who change the same, one does (operations 11). A broker without them
 * has none to keep.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Rule } from "./broker_suite_rig.ts";

export function alertRules(rule: Rule): void {
  rule("keeps alerts for every process, and refuses what was changed meanwhile", async (rig) => {
    const { broker: { alerts: own }, other: { alerts: others }, stream } = rig;
    if (!own || !others) return;
    const id = (name: string) => JSON.stringify([stream, name]);
    const kept = async () => {
      const all = [...await others.all()].filter(([id]) => id.includes(stream));
      return Object.fromEntries(all.map(([id, data]) => [JSON.parse(id)[1], data]));
    };
    assertEquals(
      await own.change([
        { id: id("a"), was: undefined, data: "1" },
        { id: id("b"), was: "0", data: "1" },
        { id: id("c"), was: undefined, data: "" },
        { id: id("a"), was: "1", data: "2" },
      ]),
      [true, false, true, true],
      "what was not there is not replaced",
    );
    assertEquals(await kept(), { a: "2", c: "" });
    const both = await Promise.all(
      [own, others].map((records, n) => records.change([{ id: id("a"), was: "2", data: `by ${n} \u00e9` }])),
    );
    assertEquals(both.flat().filter(Boolean).length, 1, "one of two at once");
    const { a = "" } = await kept();
    assertEquals(
      await others.change([
        { id: id("a"), was: "2", data: undefined },
        { id: id("a"), was: a, data: undefined },
        { id: id("c"), was: undefined, data: "1" },
        { id: id("d"), was: undefined, data: undefined },
      ]),
      [false, true, false, true],
    );
    assertEquals(await kept(), { c: "" });
    assertEquals(await own.change([]), []);
    const many = Array.from({ length: 450 }, (_, n) => ({ id: id(`${n}`), was: undefined, data: "x" }));
    assertEquals((await own.change(many)).filter(Boolean).length, 450);
    assertEquals(Object.keys(await kept()).length, 451);
  });
}
