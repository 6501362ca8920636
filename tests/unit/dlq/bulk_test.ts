/** Many letters at once, with time that the test moves. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import type { OperationOptions } from "../../../lib/domain/dead_letters.ts";
import type { HandlerRunner } from "../../../lib/domain/handler_port.ts";
import { LetterWork, runOperation } from "../../../lib/dlq/bulk.ts";
import { DeadLetterQueues } from "../../../lib/dlq/queues.ts";
import { statsOf } from "../../../lib/dlq/stats.ts";
import { BrokerUnavailableError } from "../../../lib/errors.ts";
import { renderDeadLetter } from "../../../lib/message/dead_letter.ts";
import { OperationDesk } from "../../../lib/operations/desk.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { until } from "../../support/until.ts";

const ORDER = "my_domain::order";
const QUEUE = `${ORDER}:dlq`;
const LANE = `${ORDER}:replay:my_domain.Mailer`;

function runner(name: string): HandlerRunner {
  return {
    ...{ name, kind: "event_handler", group: `my_domain.${name}`, sharedGroup: false },
    ...{ categories: [ORDER], options: {} },
    judge: () => ({ kind: "ignored" }),
    run: () => Promise.resolve("handled"),
  };
}

async function rig(count: number, handler = "Mailer") {
  const clock = new FakeClock();
  const broker = new MemoryBroker({ name: "default", domain: "my_domain", settings: {}, folder: "/", clock });
  const queues = new DeadLetterQueues(broker, [runner("Mailer"), runner("Auditor")]);
  const bury = async (n: number, error: Error = new Error("no"), group = `my_domain.${handler}`) => {
    const data = renderDeadLetter(`{"data":{"n":${n}},"metadata":{}}`, {
      ...{ originalStream: ORDER, originalId: `${n}-0`, consumerGroup: group, consumer: "c", handler },
      ...{ retryCount: 3, failedAt: clock.now(), error },
    });
    await broker.publish([{ stream: QUEUE, data }]);
  };
  for (let n = 1; n <= count; n++) await bury(n);
  const replay = (options: OperationOptions) => runOperation(queues, "replay", {}, options, clock);
  return { clock, broker, queues, bury, replay, depth: () => broker.deadLetters.depth(QUEUE) };
}

Deno.test("a canary that nobody handles in 15 minutes leaves the others alone", async () => {
  const { clock, broker, replay, depth } = await rig(5);
  const running = replay({ canary: 2 });
  await until(async () => await broker.length(LANE) === 2, "the canaries");
  await clock.advance(15 * 60_000 - 1_000);
  assertEquals(await depth(), 3);
  await clock.advance(2_000);
  const { state, done, why } = await running;
  assertEquals([state, done, await depth()], ["failed", 2, 3]);
  assertStringIncludes(why ?? "", "2 were not handled within 15 minutes");
});

Deno.test("a canary that is stopped sends no more", async () => {
  const { broker, replay, depth } = await rig(5);
  const stop = new AbortController();
  const running = replay({ canary: 2, signal: stop.signal });
  await until(async () => await broker.length(LANE) === 2, "the canaries");
  stop.abort();
  assertEquals([(await running).state, await depth()], ["cancelled", 3]);
});

Deno.test("what fails again before the canary's entry is looked for is a failure too", async () => {
  const { broker, replay, queues } = await rig(3);
  const { deadLetters } = broker;
  const own = deadLetters.replay.bind(deadLetters);
  // Whoever reads the lane is so quick that the letter is back before the replay knows that it was sent.
  deadLetters.replay = async (stream, id, lane, group) => {
    const letter = await queues.find(id, {});
    const entry = await deadLetters.get(stream, id);
    const moved = await own(stream, id, lane, group);
    const [sent] = await deadLetters.list(lane, { limit: 1 });
    await deadLetters.remove(lane, [sent?.id ?? ""]);
    const { originalStream, originalId, consumerGroup } = letter.letter;
    const data = renderDeadLetter(entry?.data, {
      ...{ originalStream, originalId, consumerGroup, consumer: "c", handler: "Mailer", retryCount: 1 },
      ...{ failedAt: 0, error: new Error("again") },
    });
    await broker.publish([{ stream: QUEUE, data }]);
    return moved;
  };
  const { state, done, failures } = await replay({ canary: 1 });
  assertEquals([state, done, failures], ["failed", 1, 1]);
});

Deno.test("a rate is kept", async () => {
  const { clock, replay } = await rig(5);
  let sent = 0;
  const running = replay({ rate: 2, progress: ({ done }) => void (sent = done) });
  await until(() => sent === 1, "the first");
  await clock.advance(499);
  assertEquals(sent, 1);
  await clock.advance(2);
  await until(() => sent === 2, "the second");
  await clock.advance(1_500);
  const { state, done } = await running;
  assertEquals([state, done], ["done", 5]);
});

Deno.test("a letter that cannot be replayed stays, is told, and stops nobody", async () => {
  const { bury, replay, depth } = await rig(2);
  await bury(3, new Error("no"), "elsewhere.Stranger");
  await bury(4);
  const { state, done, failures, failed } = await replay({});
  assertEquals([state, done, failures, await depth()], ["done", 3, 1, 1]);
  assertEquals([failed[0]?.code, failed[0]?.why.includes("elsewhere.Stranger")], ["DLQ_FOREIGN_GROUP", true]);
});

Deno.test("a broker that goes away pauses the operation, which says how far it came", async () => {
  const { broker, replay, depth } = await rig(5);
  const { deadLetters } = broker;
  const own = deadLetters.replay.bind(deadLetters);
  let calls = 0;
  deadLetters.replay = async (...args) => {
    if (++calls === 3) throw new BrokerUnavailableError("The broker is away.");
    return await own(...args);
  };
  const { state, done, why } = await replay({});
  assertEquals([state, done, why, await depth()], ["paused", 2, "The broker is away.", 3]);
});

Deno.test("a purge whose process died after it had purged leaves what came since, and counts what went", async () => {
  const { clock, broker, queues, bury, depth } = await rig(3);
  const desk = OperationDesk.on(broker, clock, "my_domain");
  const { id } = await runOperation(queues, "purge", {}, { detach: true }, clock, desk);
  const { deadLetters } = broker;
  const purge = deadLetters.purge.bind(deadLetters);
  deadLetters.purge = async (...args) => {
    await purge(...args);
    throw new BrokerUnavailableError("The answer was lost.");
  };
  await desk.run(id, new LetterWork(queues));
  deadLetters.purge = purge;
  await clock.advance(1);
  await bury(4);
  const { state, done } = await desk.run(id, new LetterWork(queues));
  assertEquals([state, done, await depth()], ["done", 3, 1]);
});

Deno.test("a whole purge leaves a letter alone that comes between its last look and its purge", async () => {
  const { clock, broker, queues, bury, depth } = await rig(3);
  const { deadLetters } = broker;
  const purge = deadLetters.purge.bind(deadLetters);
  deadLetters.purge = async (...args) => {
    await bury(4);
    return await purge(...args);
  };
  const { state, done } = await runOperation(queues, "purge", {}, {}, clock);
  assertEquals([state, done, await depth()], ["done", 3, 1]);
});

Deno.test("a file that cannot be written keeps letters from being removed", async () => {
  const { queues, clock, depth } = await rig(3);
  const save = () => Promise.reject(new Error("The disk is full."));
  const { state, done, why } = await runOperation(queues, "purge", {}, { save }, clock);
  assertEquals([state, done, why, await depth()], ["failed", 0, "The disk is full.", 3]);
});

Deno.test("stats count the newest, group alike failures, and give what is without a name one", async () => {
  const { broker, queues, bury } = await rig(0);
  for (let n = 0; n < 3; n++) await bury(n, new RangeError("a"));
  await bury(3, new TypeError("b"));
  await broker.publish([{ stream: QUEUE, data: "no json" }]);
  const [place] = queues.places({});
  assert(place);
  const options = { filter: {}, runners: queues.runners, maxEntryBytes: queues.largest };
  const all = await statsOf(place, { ...options, most: 10_000 });
  assertEquals(all.groups.map(({ handler, errorType, count }) => [handler, errorType, count]), [
    ["Mailer", "RangeError", 3],
    ["unknown", "unknown", 1],
    ["Mailer", "TypeError", 1],
  ]);
  const few = await statsOf(place, { ...options, most: 2 });
  assertEquals([few.depth, few.counted, few.groups.length], [5, 2, 2]);
  const filtered = await statsOf(place, { ...options, filter: { error: "TypeError" }, most: 10_000 });
  assertEquals([filtered.depth, filtered.groups.map(({ count }) => count)], [5, [1]]);
  const [named] = all.groups;
  assertEquals(few.groups.some(({ fingerprint }) => fingerprint === named?.fingerprint), false);
});

Deno.test("what is no message is not given to every group", async () => {
  const { broker, replay, depth } = await rig(1);
  for (const original of ["no json", undefined, "[1]"]) {
    const data = renderDeadLetter(original, {
      ...{ originalStream: ORDER, originalId: "9-0", consumerGroup: "my_domain.Mailer", consumer: "c" },
      ...{ handler: "Mailer", retryCount: 1, failedAt: 0, error: new Error("no") },
    });
    await broker.publish([{ stream: QUEUE, data }]);
  }
  const { state, done, failed } = await replay({ toAllGroups: true });
  assertEquals([state, done, failed.map(({ code }) => code)], ["done", 1, Array(3).fill("DLQ_NO_MESSAGE")]);
  assertEquals([await depth(), await broker.length(ORDER)], [3, 1]);
});
