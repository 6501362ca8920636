/**
 * Rules of the counts of what dead letters failed of (operations 6). A broker without them has none to keep.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { FailureCount, FailureGroups, StreamGroup } from "../../adapters/ports.ts";
import { renderDeadLetter } from "../../message/dead_letter.ts";
import { failureOf } from "../../message/failure_group.ts";
import { at, type BrokerRig, idsOf, type Rule } from "./broker_suite_rig.ts";

/** The text of a letter of `Mailer`, which failed of `error` at this message type. */
function letterText(error: Error, type = "Shop.OrderPlaced.v1", note = ""): string {
  const message = { data: { note, headers: { type: "none" } }, metadata: { headers: { id: "1", type } } };
  return renderDeadLetter(JSON.stringify(message), {
    ...{ originalStream: "shop::order", originalId: "1-0", consumerGroup: "shop.Mailer", consumer: "c" },
    ...{ handler: "Mailer", retryCount: 3, failedAt: 0, error },
  });
}

/** As Python writes one: it names neither handler nor error. */
function foreignText(type = "Shop.OrderPlaced.v1"): string {
  const metadata = { original_stream: "shop::order", consumer_group: "shop.Mailer", retry_count: 3 };
  return JSON.stringify({ data: {}, metadata: { headers: { type } }, _dlq_metadata: metadata });
}

function thrown(name: string, frames: readonly string[] = []): Error {
  const error = new Error("no");
  error.name = name;
  error.stack = [`${name}: no`, ...frames.map((frame) => `    at ${frame}`)].join("\n");
  return error;
}

const SMTP = letterText(thrown("SmtpError", ["Mailer.send (file:///app/mailer.ts:10:5)"]));
const RANGE = letterText(
  thrown("RangeError", ["node:internal:1:1", "async order (file:///app/x/order.ts:3:1)"]),
);

async function bury(rig: BrokerRig, group: StreamGroup, ...texts: string[]): Promise<readonly string[]> {
  const dead = `${rig.stream}:dlq`;
  await rig.publish(...texts.map(() => "{}"));
  const entries = await group.read({ count: texts.length });
  for (const [index, { id }] of entries.entries()) {
    assertEquals(await group.deadLetter(id, dead, at(texts, index)), true);
  }
  return idsOf(await rig.broker.deadLetters.list(dead, { limit: 9_999 })).slice(-texts.length);
}

/** Counts by fingerprint. */
function countsOf(groups: readonly FailureCount[]): Record<string, number> {
  return Object.fromEntries(groups.map(({ fingerprint, count }) => [fingerprint, count]));
}

function counts(...texts: string[]): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const text of texts) {
    const { fingerprint } = failureOf(text);
    counted[fingerprint] = (counted[fingerprint] ?? 0) + 1;
  }
  return counted;
}

export function failureRules(rule: Rule): void {
  const counting = (
    sentence: string,
    prove: (rig: BrokerRig, failures: FailureGroups, dead: string) => Promise<void>,
  ) =>
    rule(sentence, async (rig) => {
      const { failures } = rig.broker.deadLetters;
      if (failures) await prove(rig, failures, `${rig.stream}:dlq`);
    });

  counting("counts what dead letters failed of as they are written", async (rig, failures, dead) => {
    const empty = {
      depth: 0,
      oldest: undefined,
      newest: undefined,
      counted: 0,
      groups: [],
      notes: new Map(),
    };
    assertEquals(await failures.figures(dead), empty);
    const a = await rig.consumer("a");
    await bury(rig, a, SMTP);
    await rig.elapse(5);
    const time = await rig.broker.time();
    await bury(rig, a, RANGE, SMTP, "no json", '{"raw":"\\u0000","_dlq_metadata":{}}', "{}");
    const { depth, counted, oldest, newest, groups } = await failures.figures(dead);
    assertEquals([depth, counted], [6, 6]);
    assert(oldest !== undefined && oldest < time && newest !== undefined && newest >= time);
    assertEquals(countsOf(groups), counts(SMTP, RANGE, SMTP, "no json", "no json", "no json"));
    const smtp = groups.find(({ errorType }) => errorType === "SmtpError");
    assertEquals([smtp?.first, (smtp?.last ?? 0) >= time], [oldest, true]);
    const { count: _, first: _first, last: _last, ...facts } = at(
      groups.filter((group) => group === smtp),
      0,
    );
    assertEquals(facts, failureOf(SMTP));
    assertEquals([facts.handler, facts.named, facts.type], ["Mailer", true, "Shop.OrderPlaced.v1"]);
  });

  counting("tells failures apart by handler, error, type and own frame, not by its numbers", async (
    rig,
    failures,
    dead,
  ) => {
    const frames = [
      ["Mailer.send (file:///app/mailer.ts:99:12)"],
      ["node:internal/x:1:1", "Mailer.send (https://host/v2/mailer.ts:1:1)"],
      ["file:///app/node_modules/smtp/index.js:4:4", "async Mailer.send (/srv/mailer.ts:7:7)"],
      ["Mailer.receive (file:///app/mailer.ts:10:5)"],
      ["file:///app/mailer.ts:10:5"],
      ["native code"],
    ];
    const texts = frames.map((frame) => letterText(thrown("SmtpError", frame)));
    const others = [
      letterText(thrown("SmtpError"), "Shop.OrderPaid.v1"),
      foreignText(),
      foreignText("X.Y.v1"),
    ];
    const long = letterText(
      thrown("SmtpError", frames[0]),
      "Shop.OrderPlaced.v1",
      '"headers":{é'.repeat(20_000),
    );
    await bury(rig, await rig.consumer("a"), SMTP, ...texts, ...others, long);
    const { groups, counted } = await failures.figures(dead);
    assertEquals(countsOf(groups), counts(SMTP, ...texts, ...others, long));
    assertEquals(groups.find(({ count }) => count === 5)?.fingerprint, failureOf(SMTP).fingerprint);
    assertEquals([counted, groups.length], [11, 7]);
  });

  counting("lowers the counts with whatever removes a letter", async (rig, failures, dead) => {
    const { deadLetters } = rig.broker;
    const ids = await bury(rig, await rig.consumer("a"), SMTP, RANGE, SMTP, RANGE, SMTP, RANGE, SMTP, RANGE);
    const left = async () => {
      const { depth, counted, groups } = await failures.figures(dead);
      assertEquals(counted, depth);
      return countsOf(groups);
    };
    await deadLetters.replay(dead, at(ids, 0), `${rig.stream}:replay:g1`, "g1");
    assertEquals(await left(), counts(SMTP, SMTP, SMTP, RANGE, RANGE, RANGE, RANGE));
    await deadLetters.remove(dead, [at(ids, 1), at(ids, 1), at(ids, 0), "no id"]);
    assertEquals(await left(), counts(SMTP, SMTP, SMTP, RANGE, RANGE, RANGE));
    await deadLetters.move?.(dead, [at(ids, 2), at(ids, 3)], `${dead}:discarded`);
    assertEquals(await left(), counts(SMTP, SMTP, RANGE, RANGE));
    const [aside = "", other = ""] = idsOf(await deadLetters.list(`${dead}:discarded`, { limit: 9 }));
    await deadLetters.move?.(`${dead}:discarded`, [aside, other], dead);
    assertEquals(await left(), counts(SMTP, SMTP, SMTP, RANGE, RANGE, RANGE));
    await deadLetters.release?.(dead, at(ids, 4), rig.stream, "again");
    assertEquals(await left(), counts(SMTP, SMTP, RANGE, RANGE, RANGE));
    await rig.elapse(5);
    assertEquals(await deadLetters.trimBefore(dead, await rig.broker.time(), 2), 2);
    assertEquals(await left(), counts(SMTP, RANGE, RANGE));
    assertEquals(await deadLetters.trimBefore(dead, await rig.broker.time(), 99), 3);
    assertEquals(await left(), {});
    await bury(rig, await rig.consumer("a"), SMTP, RANGE);
    assertEquals(await deadLetters.purge(dead), 2);
    assertEquals(await left(), {});
    await bury(rig, await rig.consumer("a"), RANGE);
    assertEquals(await left(), counts(RANGE));
  });

  counting("says how many letters others have written, and counts them when asked", async (
    rig,
    failures,
    dead,
  ) => {
    const a = await rig.consumer("a");
    await bury(rig, a, SMTP);
    await rig.broker.publish([foreignText(), foreignText()].map((data) => ({ stream: dead, data })));
    const [, , last = ""] = await bury(rig, a, RANGE, SMTP, SMTP);
    const before = await failures.figures(dead);
    assertEquals([before.depth, before.counted], [6, 1]);
    // A letter that is not counted is not lowered either.
    await rig.broker.deadLetters.remove(dead, [last]);
    assertEquals((await failures.figures(dead)).counted, 1);
    assertEquals(await failures.countOn(dead, 3), 3);
    assertEquals((await failures.figures(dead)).counted, 4);
    assertEquals(await failures.countOn(dead, 99), 1);
    assertEquals(await failures.countOn(dead, 99), 0);
    const { groups, counted } = await failures.figures(dead);
    assertEquals(counted, 5);
    assertEquals(countsOf(groups), counts(SMTP, SMTP, RANGE, foreignText(), foreignText()));
    const theirs = groups.find(({ named }) => !named);
    assertEquals([theirs?.handler, theirs?.errorType], ["shop.Mailer", "unknown"]);
    await bury(rig, a, RANGE);
    assertEquals((await failures.figures(dead)).counted, 6, "what comes now is counted at once");
  });

  counting(
    "is the same with two processes that write, count and remove at once",
    async (rig, failures, dead) => {
      const { broker, other } = rig;
      const texts = Array.from({ length: 60 }, (_, index) => [SMTP, RANGE, foreignText()][index % 3] ?? "");
      await broker.publish(texts.map((data) => ({ stream: dead, data })));
      const ids = idsOf(await broker.deadLetters.list(dead, { limit: 99 }));
      const [a, b] = [await rig.consumer("a"), await rig.consumer("b", { broker: other })];
      await rig.publish("1", "2", "3", "4");
      await Promise.all([
        failures.countOn(dead, 99),
        other.deadLetters.failures?.countOn(dead, 99),
        broker.deadLetters.remove(dead, ids.slice(0, 30)),
        other.deadLetters.remove(dead, ids.slice(15, 45)),
        ...[a, b].map(async (group) => {
          for (const { id } of await group.read({ count: 2 })) await group.deadLetter(id, dead, SMTP);
        }),
      ]);
      await failures.countOn(dead, 99);
      const { depth, counted, groups } = await failures.figures(dead);
      assertEquals([depth, counted], [19, 19]);
      assertEquals(countsOf(groups), counts(...texts.slice(45), SMTP, SMTP, SMTP, SMTP));
    },
  );

  counting("tells a thousand groups apart, and the rest together", async (rig, failures, dead) => {
    const { broker } = rig;
    const texts = Array.from({ length: 1_003 }, (_, index) => foreignText(`Shop.Type${index}.v1`));
    const ids = idsOf(await broker.publish(texts.map((data) => ({ stream: dead, data }))));
    assertEquals(await failures.countOn(dead, 9_999), 1_003);
    const other = async () =>
      (await failures.figures(dead)).groups.find(({ fingerprint }) => fingerprint === "other");
    assertEquals((await other())?.count, 3);
    await broker.deadLetters.remove(dead, [at(ids, 0), at(ids, 1_000), at(ids, 1_001), at(ids, 1_002)]);
    assertEquals(await other(), undefined);
    const { counted, groups, depth } = await failures.figures(dead);
    assertEquals([counted, groups.length, depth], [999, 999, 999]);
  });

  counting("keeps notes on groups until they are removed, also of groups that are empty", async (
    rig,
    failures,
    dead,
  ) => {
    const { deadLetters } = rig.broker;
    const [smtp, range] = [failureOf(SMTP).fingerprint, failureOf(RANGE).fingerprint];
    assertEquals(await failures.note(dead, smtp, "known"), "unknown");
    await bury(rig, await rig.consumer("a"), SMTP, RANGE);
    assertEquals(await failures.note(dead, smtp, "known"), "kept");
    assertEquals(await failures.note(dead, range, "é\n\"'"), "kept");
    assertEquals(await failures.note(dead, smtp, "mended in 1.2"), "kept");
    await deadLetters.purge(dead);
    const notes = async () => [...(await failures.figures(dead)).notes].sort();
    assertEquals(await notes(), [[range, "é\n\"'"], [smtp, "mended in 1.2"]].sort());
    assertEquals(await failures.note(dead, smtp, "again"), "kept");
    assertEquals(await failures.note(dead, range, ""), "kept");
    assertEquals(await notes(), [[smtp, "again"]]);
    assertEquals(await failures.note(dead, range, ""), "unknown");
  });
}
