import { assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../../lib/async/clock.ts";
import { runOperation } from "../../../lib/dlq/bulk.ts";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { DeadLetterQueues, type LetterFilter } from "../../../lib/dlq/queues.ts";
import type { HandlerRunner } from "../../../lib/domain/handler_port.ts";
import type { BaseBroker } from "../../../lib/adapters/ports.ts";
import { NotSupportedError, ProteanError } from "../../../lib/errors.ts";
import { renderDeadLetter } from "../../../lib/message/dead_letter.ts";

const ORDER = "my_domain::order";
const COMMANDS = "my_domain::order:command";

function runner(name: string, categories: readonly string[]): HandlerRunner {
  return {
    name,
    kind: "event_handler",
    group: `my_domain.${name}`,
    sharedGroup: false,
    categories,
    options: {},
    judge: () => ({ kind: "ignored" }),
    run: () => Promise.resolve("handled"),
  };
}

/** A broker with dead letters: `[handler, category, minutes after the epoch]`. */
async function setUp(letters: readonly (readonly [string, string, number])[]) {
  const clock = new FakeClock();
  const broker = new MemoryBroker({ name: "default", domain: "my_domain", settings: {}, folder: "/", clock });
  const queues = new DeadLetterQueues(broker, [
    runner("Mailer", [ORDER]),
    runner("Auditor", [ORDER]),
    runner("Orders", [COMMANDS]),
  ]);
  const ids: string[] = [];
  let passed = 0;
  for (const [handler, category, minute] of letters.toSorted(([, , a], [, , b]) => a - b)) {
    await clock.advance((minute - passed) * 60_000);
    passed = minute;
    const data = renderDeadLetter(`{"data":{"n":${minute}},"metadata":{}}`, {
      originalStream: category,
      originalId: `${minute}-0`,
      consumerGroup: `my_domain.${handler}`,
      consumer: "c",
      handler,
      retryCount: 3,
      failedAt: minute * 60_000,
      error: new Error(`minute ${minute}`),
    });
    const [result] = await broker.publish([{ stream: `${category}:dlq`, data }]);
    if (result && "id" in result) ids.push(result.id);
  }
  const shown = async (filter: LetterFilter = {}, limit = 100) =>
    (await queues.list({ ...filter, limit })).entries.map(({ letter }) => letter.errorMessage);
  return { broker, queues, ids, shown };
}

const THREE = [["Mailer", ORDER, 1], ["Orders", COMMANDS, 3], ["Auditor", ORDER, 2]] as const;

Deno.test("list shows the newest of all queues first and ends at the limit", async () => {
  const { shown } = await setUp(THREE);
  assertEquals(await shown(), ["minute 3", "minute 2", "minute 1"]);
  assertEquals(await shown({}, 2), ["minute 3", "minute 2"]);
});

Deno.test("list pages through queues that are longer than one page", async () => {
  const { shown } = await setUp(
    Array.from({ length: 1_201 }, (_, minute) => ["Mailer", ORDER, minute] as const),
  );
  assertEquals(await shown({}, 3), ["minute 1200", "minute 1199", "minute 1198"]);
  assertEquals((await shown({}, 5_000)).length, 1_201);
});

Deno.test("letters are filtered by subscription and by handler", async () => {
  const { shown } = await setUp(THREE);
  assertEquals(await shown({ subscription: ORDER }), ["minute 2", "minute 1"]);
  assertEquals(await shown({ handler: "Auditor" }), ["minute 2"]);
  assertEquals(await shown({ subscription: ORDER, handler: "Mailer" }), ["minute 1"]);
});

for (
  const [filter, message] of [
    [
      { subscription: "my_domain::odrer" },
      "No subscription found for stream category 'my_domain::odrer'. Did you mean 'my_domain::order'?",
    ],
    [{ handler: "Mialer" }, "No handler is called 'Mialer'. Did you mean 'Mailer'?"],
    [
      { subscription: COMMANDS, handler: "Mailer" },
      `No subscription found for stream category '${COMMANDS}'.`,
    ],
  ] as const
) {
  Deno.test(`the filter ${JSON.stringify(filter)} is refused`, async () => {
    const { queues } = await setUp([]);
    await assertRejects(() => queues.list(filter), ProteanError, message);
  });
}

/** A broker without dead letters, as one of somebody else's may be. */
class Plain extends MemoryBroker {
  override get deadLetters(): never {
    throw new NotSupportedError(`Broker '${this.name}' keeps no dead letters: use one that does.`);
  }
}

function plain(): BaseBroker {
  return new Plain({
    ...{ name: "plain", domain: "my_domain", settings: {}, folder: "/", clock: new FakeClock() },
  });
}

Deno.test("a broker that keeps no dead letters is told, and keeps those of others from nobody", async () => {
  const none = new DeadLetterQueues(plain(), [runner("Mailer", [ORDER])]);
  for (const filter of [{}, { handler: "Mailer" }, { subscription: ORDER }]) {
    await assertRejects(
      () => none.list(filter),
      NotSupportedError,
      "Broker 'plain', which Mailer reads from",
    );
    await assertRejects(() => runOperation(none, "purge", filter, {}, systemClock), NotSupportedError);
  }
  const { broker } = await setUp(THREE);
  const other = plain();
  const runners = [runner("Mailer", [ORDER]), runner("Feed", ["feed"])];
  const both = new DeadLetterQueues(broker, runners, undefined, {
    brokerOf: ({ name }) => name === "Feed" ? other : broker,
  });
  assertEquals((await both.list()).entries.length, 2);
  await assertRejects(() => both.list({ subscription: "feed" }), NotSupportedError, "Feed");
});

Deno.test("letters whose text is broken stay, and the others are replayed; so are those whose stream is gone", async () => {
  const { broker, queues, shown } = await setUp(THREE);
  const broken = ["no json", "", '{"_dlq_metadata":7}', '{"_dlq_metadata":{"consumer_group":["x"]}}'];
  for (const data of broken) await broker.publish([{ stream: `${ORDER}:dlq`, data }]);
  assertEquals(await broker.length(ORDER), 0, "the original stream is not there");
  const { state, done, failures, failed } = await runOperation(queues, "replay", {}, {}, systemClock);
  assertEquals([state, done, failures], ["done", 3, broken.length]);
  assertEquals(new Set(failed.map(({ code }) => code)), new Set(["DLQ_FOREIGN_GROUP"]));
  assertEquals((await shown()).length, broken.length);
  for (const { id } of failed) assertEquals((await queues.find(id, {})).letter.failureReason, "unknown");
  assertEquals((await runOperation(queues, "purge", {}, {}, systemClock)).done, broken.length);
});

Deno.test("what is no message of ours is listed too", async () => {
  const { broker, queues } = await setUp([]);
  await broker.publish([{ stream: `${ORDER}:dlq`, data: "no json" }]);
  const { entries: [found] } = await queues.list();
  assertEquals([found?.letter.failureReason, found?.letter.originalStream], ["unknown", ORDER]);
});

Deno.test("replay moves a letter to the lane of its group, once", async () => {
  const { broker, queues, ids } = await setUp(THREE);
  const found = await queues.find(ids[0] ?? "", { subscription: ORDER });
  assertEquals(await Promise.all([queues.replay(found), queues.replay(found)]), ["replayed", "gone"]);
  assertEquals(await broker.length(`${ORDER}:replay:my_domain.Mailer`), 1);
  assertEquals((await broker.groups(`${ORDER}:replay:my_domain.Mailer`)).map(({ group }) => group), [
    "my_domain.Mailer",
  ]);
  assertEquals(await queues.count({}), 2);
});

Deno.test("a letter of a group that this domain does not run is not replayed", async () => {
  const { queues, ids } = await setUp([["Stranger", ORDER, 1]]);
  const found = await queues.find(ids[0] ?? "", {});
  const error = await assertRejects(() => queues.replay(found), ProteanError, "my_domain.Stranger");
  assertEquals(error.code, "DLQ_FOREIGN_GROUP");
  assertEquals(await queues.count({}), 1);
});

Deno.test("a list has no messages, which may be large; whoever is looked at has its own", async () => {
  const { queues, ids } = await setUp([["Mailer", ORDER, 1]]);
  const { entries: [listed] } = await queues.list();
  assertEquals([listed?.letter.message, listed?.letter.text], [undefined, ""]);
  const found = await queues.find(ids[0] ?? "", {});
  assertEquals(found.letter.message, { data: { n: 1 }, metadata: {} });
});

Deno.test("a message that was kept by its beginning is not replayed", async () => {
  const { broker, queues } = await setUp([]);
  const data = renderDeadLetter('{"data":', {
    ...{ originalStream: ORDER, originalId: "1-0", consumerGroup: "my_domain.Mailer", consumer: "c" },
    ...{ handler: "Mailer", retryCount: 1, failedAt: 0, error: new Error("large") },
    truncated: { bytes: 9_000_000 },
  });
  await broker.publish([{ stream: `${ORDER}:dlq`, data }]);
  const { entries: [letter] } = await queues.list();
  if (!letter) throw new Error("nothing is listed");
  const error = await assertRejects(() => queues.replay(letter), ProteanError, "9000000 bytes");
  assertEquals([error.code, await queues.count({})], ["DLQ_TRUNCATED", 1]);
});

Deno.test("an unknown id is told, one that several queues hold must be chosen", async () => {
  const { broker, queues, ids } = await setUp([["Mailer", ORDER, 1]]);
  const missing = await assertRejects(
    () => queues.find("9-9", {}),
    ProteanError,
    "DLQ message '9-9' not found.",
  );
  assertEquals(missing.code, "DLQ_NOT_FOUND");
  const [id = ""] = ids;
  // The clock stands still, so the first entry of the other queue has the same id.
  await broker.publish([{ stream: `${COMMANDS}:dlq`, data: "{}" }]);
  const twins = await assertRejects(() => queues.find(id, {}), ProteanError, "--subscription");
  assertEquals(twins.code, "DLQ_AMBIGUOUS");
  assertEquals((await queues.find(id, { subscription: ORDER })).id, id);
});

Deno.test("purge removes a queue, or the letters of one handler", async () => {
  const { queues, shown } = await setUp([...THREE, ["Mailer", ORDER, 4]]);
  assertEquals(await queues.count({ subscription: ORDER, handler: "Mailer" }), 2);
  assertEquals(
    (await runOperation(queues, "purge", { subscription: ORDER, handler: "Mailer" }, {}, systemClock)).done,
    2,
  );
  assertEquals(await shown(), ["minute 3", "minute 2"]);
  assertEquals((await runOperation(queues, "purge", { subscription: ORDER }, {}, systemClock)).done, 1);
  assertEquals((await runOperation(queues, "purge", { subscription: ORDER }, {}, systemClock)).done, 0);
  assertEquals(await shown(), ["minute 3"]);
});
