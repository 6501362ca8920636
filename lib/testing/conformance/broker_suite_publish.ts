/**
 * Rules of publishing.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { at, idsOf, numbered, type Rule, textsOf } from "./broker_suite_rig.ts";

export function publishRules(rule: Rule): void {
  rule("answers its ping", async ({ broker }) => {
    await broker.ping(AbortSignal.timeout(5000));
  });

  rule("returns one ascending id per published entry", async ({ publish, broker, stream }) => {
    const ids = [...await publish(...numbered(5)), ...await publish("6")];
    for (const id of ids) assert(/^\d+-\d+$/.test(id), id);
    const keys = ids.map((id) => id.split("-").map(Number));
    for (const [index, [ms = 0, n = 0]] of keys.entries()) {
      const [lastMs = 0, lastN = 0] = keys[index - 1] ?? [];
      assert(ms > lastMs || (ms === lastMs && n > lastN), `${ids[index - 1]} before ${ids[index]}`);
    }
    assertEquals(await broker.length(stream), 6);
  });

  rule("publishes nothing when nothing is given", async ({ broker }) => {
    assertEquals(await broker.publish([]), []);
  });

  rule("publishes to several streams at once, each in order", async ({ broker, stream, consumer }) => {
    const second = `${stream}_second`;
    const results = await broker.publish(
      [["1", stream], ["2", second], ["3", stream], ["4", second]].map(([data = "", name = ""]) => ({
        stream: name,
        data,
      })),
    );
    const ids = idsOf(results);
    assertEquals(ids.length, 4);
    assertEquals(textsOf(await (await consumer("a")).read({ count: 9 })), ["1", "3"]);
    const other = await consumer("a", { stream: second });
    const entries = await other.read({ count: 9 });
    assertEquals(textsOf(entries), ["2", "4"]);
    assertEquals(idsOf(entries), [at(ids, 1), at(ids, 3)]);
  });

  rule("keeps every text as it is", async ({ publish, consumer }) => {
    const texts = [
      '{"data":{},"metadata":null}',
      "",
      "not JSON \u0000 \n\r \u2028 ü 漢 🎉",
      "x".repeat(1_000_000),
    ];
    await publish(...texts);
    assertEquals(textsOf(await (await consumer("a")).read({ count: 9 })), texts);
  });

  rule("has no entries in a stream that nobody has written to", async ({ broker, stream }) => {
    assertEquals(await broker.length(stream), 0);
    assertEquals(await broker.groups(stream), []);
  });
}
