/**
 * Rules of the size of texts: none that is too large is decoded, and no answer brings more than it was asked
 * for. An adapter that holds its texts in memory anyway may bring them whole.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import type { StreamEntry } from "../../adapters/ports.ts";
import { at, type BrokerRig, idsOf, numbered, type Rule, textsOf } from "./broker_suite_rig.ts";

const KEPT_BYTES = 64 * 1024;
/** Two bytes each, so that the cut falls into one of them: the first is one byte. */
const LARGE = "a" + "é".repeat(60_000);
const MOST = 100_000;

export function sizeRules(rule: Rule): void {
  rule("brings entries by their ids, in the order given, without those it does not hold", async (rig) => {
    const { publish, broker, stream } = rig;
    if (!broker.entries) return;
    const ids = await publish(...numbered(300));
    const wanted = [at(ids, 299), at(ids, 0), "1-1", "none", at(ids, 1), ...ids.slice(10, 290)];
    const found = await broker.entries(stream, wanted);
    assertEquals(idsOf(found), wanted.filter((id) => ids.includes(id)));
    assertEquals(textsOf(found).slice(0, 4), ["300", "1", "2", "11"]);
    assertEquals(await broker.entries(stream, []), []);
    assertEquals(await broker.entries(`${stream}:none`, ids), []);
  });

  rule(
    "brings the beginning of what is too large, its size and its hash, wherever it is read",
    async (rig) => {
      const { publish, consumer, broker, stream, other } = rig;
      const queue = `${stream}:dlq`;
      const a = await consumer("a", { maxEntryBytes: MOST });
      const b = await consumer("b", { maxEntryBytes: MOST, broker: other });
      const ids = await publish("1", LARGE, "3");
      const read = await a.read({ count: 9 });
      const claimed = await b.claim(ids.map((id) => ({ id, from: "a" })), 0);
      const fetched = await broker.entries?.(stream, ids, { maxEntryBytes: MOST }) ?? read;
      await broker.publish(["1", LARGE, "3"].map((data) => ({ stream: queue, data })));
      const listed = await broker.deadLetters.list(queue, { limit: 9, maxEntryBytes: MOST });
      for (const entries of [read, claimed, fetched, listed]) {
        assertEquals([at(textsOf(entries), 0), at(textsOf(entries), 2)], ["1", "3"]);
        assertIsBeginning(at(entries, 1));
      }
      assertEquals(textsOf(await broker.entries?.(stream, ids, { maxEntryBytes: 120_001 }) ?? []), [
        "1",
        LARGE,
        "3",
      ]);
    },
  );

  rule("reads no more text at once than asked for, and loses none", async ({ publish, consumer, ...rig }) => {
    const texts = numbered(40).map((number) => number.padStart(1_000, "0"));
    await publish(...texts);
    const a = await consumer("a");
    const seen: (string | undefined)[] = [];
    for (let some = await a.read({ count: 9, maxBytes: 5_500 }); some.length > 0;) {
      seen.push(...textsOf(await whole(rig, some)));
      some = await a.read({ count: 9, maxBytes: 5_500 });
    }
    assertEquals(seen, texts);
    assertEquals((await a.pending({ limit: 99 })).length, 40);
  });

  rule("brings the first text whatever its size, and leaves out no more than it has to", async (rig) => {
    const { publish, consumer, broker, stream, other } = rig;
    const [a, b] = [await consumer("a"), await consumer("b", { broker: other })];
    const texts = ["x".repeat(3_000), "y", "z".repeat(2_000)];
    const ids = await publish(...texts);
    await a.read({ count: 9 });
    const claimed = await b.claim(ids.map((id) => ({ id, from: "a" })), 0, 2_500);
    assertEquals([claimed.map(({ trimmed }) => trimmed), at(textsOf(claimed), 0)], [
      [false, false, false],
      at(texts, 0),
    ]);
    assertEquals(textsOf(await whole(rig, claimed)), texts);
    const fetched = await broker.entries?.(stream, ids.slice(1), { maxBytes: 2_500 });
    if (fetched) assertEquals(textsOf(fetched), texts.slice(1));
  });

  rule("lists dead letters page by page where their texts are bounded", async ({ broker, stream }) => {
    const queue = `${stream}:dlq`;
    const texts = numbered(40).map((number) => number.padStart(1_000, "0"));
    await broker.publish(texts.map((data) => ({ stream: queue, data })));
    for (const direction of ["forwards", "backwards"] as const) {
      const seen: (string | undefined)[] = [];
      const page = { direction, limit: 30, maxBytes: 5_500 };
      for (let some = await broker.deadLetters.list(queue, page); some.length > 0;) {
        seen.push(...textsOf(some));
        some = await broker.deadLetters.list(queue, { ...page, after: at(some, -1).id });
      }
      assertEquals(seen, direction === "forwards" ? texts : texts.toReversed());
    }
  });
}

function assertIsBeginning({ data, tooLarge }: StreamEntry): void {
  if (data === LARGE) return;
  assertEquals(data, LARGE.slice(0, KEPT_BYTES / 2));
  assertEquals(tooLarge, { bytes: 120_001, sha256: createHash("sha256").update(LARGE).digest("hex") });
}

/** The same entries with the texts that were left out. */
async function whole(
  { broker, stream }: Pick<BrokerRig, "broker" | "stream">,
  entries: readonly StreamEntry[],
): Promise<readonly StreamEntry[]> {
  const left = entries.filter(({ omitted }) => omitted !== undefined);
  for (const { data } of left) assertEquals(data, undefined);
  const found = await broker.entries?.(stream, idsOf(left)) ?? [];
  assert(found.length === left.length);
  const texts = new Map(found.map((entry) => [entry.id, entry]));
  return entries.map((entry) => texts.get(entry.id) ?? entry);
}
