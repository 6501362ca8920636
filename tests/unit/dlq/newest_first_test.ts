/** Lists of dead letters over long queues: what is read of them, and how one list goes on behind another. */
import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { systemClock } from "../../../lib/async/clock.ts";
import { runOperation } from "../../../lib/dlq/bulk.ts";
import type { DeadLetters } from "../../../lib/adapters/ports.ts";
import { SqliteBroker } from "../../../lib/adapters/sqlite/broker.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { DeadLetterQueues, type LetterFilter } from "../../../lib/dlq/queues.ts";
import type { HandlerRunner } from "../../../lib/domain/handler_port.ts";
import { ProteanError } from "../../../lib/errors.ts";

const [ORDER, PAYMENT] = ["shop::order", "shop::payment"];

/** Counts the entries that are read of its dead letters. */
class CountingBroker extends SqliteBroker {
  read = 0;
  /** Of all pages. */
  largest = 0;

  override get deadLetters(): DeadLetters {
    const own = super.deadLetters;
    return {
      depth: (stream) => own.depth(stream),
      list: async (stream, range) => {
        const page = await own.list(stream, range);
        this.read += page.length;
        this.largest = Math.max(this.largest, page.reduce((size, { data = "" }) => size + data.length, 0));
        return page;
      },
      oldest: (stream) => own.oldest(stream),
      trimBefore: (stream, ms, limit) => own.trimBefore(stream, ms, limit),
      get: (stream, id) => own.get(stream, id),
      replay: (stream, id, lane, group) => own.replay(stream, id, lane, group),
      remove: (stream, ids) => own.remove(stream, ids),
      purge: (stream) => own.purge(stream),
    };
  }
}

function runner(name: string, category: string): HandlerRunner {
  return {
    name,
    kind: "event_handler",
    group: `shop.${name}`,
    sharedGroup: false,
    categories: [category],
    options: {},
    judge: () => ({ kind: "ignored" }),
    run: () => Promise.resolve("handled"),
  };
}

class Rig implements AsyncDisposable {
  readonly queues: DeadLetterQueues;

  private constructor(
    readonly broker: CountingBroker,
    readonly clock: FakeClock,
    readonly folder: string,
  ) {
    const runners = [runner("Mailer", ORDER), runner("Auditor", ORDER), runner("Payments", PAYMENT)];
    this.queues = new DeadLetterQueues(broker, runners);
  }

  static async open(): Promise<Rig> {
    const [folder, clock] = [await Deno.makeTempDir(), new FakeClock()];
    const broker = new CountingBroker({ name: "default", domain: "shop", settings: {}, folder, clock });
    await broker.open();
    return new Rig(broker, clock, folder);
  }

  /** Dead letters that say no more than whose they are and which; one millisecond apart. */
  async bury(handler: string, category: string, ...names: readonly string[]): Promise<void> {
    await this.clock.advance(1);
    await this.broker.publish(names.map((name) => ({
      stream: `${category}:dlq`,
      data: JSON.stringify({ _dlq_metadata: { handler, failure_reason: name } }),
    })));
  }

  /** The pages of `limit` letters, from the newest on, as their reasons. */
  async pages(filter: LetterFilter, limit: number): Promise<readonly string[][]> {
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await this.queues.list({ ...filter, limit, cursor });
      pages.push(page.entries.map(({ letter }) => letter.failureReason));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return pages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broker.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
}

Deno.test("a list reads the ends of long queues and nothing else of them", async () => {
  await using rig = await Rig.open();
  await rig.bury("Mailer", ORDER, ...numbered("a", 25_000));
  await rig.bury("Payments", PAYMENT, ...numbered("b", 25_000));
  const { entries, cursor } = await rig.queues.list({ limit: 20 });
  assertEquals(entries.map(({ letter }) => letter.failureReason), numbered("b", 25_000).slice(-20).reverse());
  assertEquals(rig.broker.read, 2 * 21);
  await rig.queues.list({ limit: 20, cursor });
  assertEquals(rig.broker.read, 4 * 21);
});

Deno.test("a filter that nothing passes looks at so many letters at most, and the list can go on", async () => {
  await using rig = await Rig.open();
  await rig.bury("Mailer", ORDER, ...numbered("a", 25_000));
  const page = await rig.queues.list({ handler: "Auditor", limit: 20 });
  assertEquals(page.entries, []);
  assert(page.cursor !== undefined);
  assertLessOrEqual(rig.broker.read, 10_200);
  assertEquals(await rig.pages({ handler: "Auditor" }, 20), [[], [], []]);
});

Deno.test("pages follow each other over several queues, without a gap and without a letter twice", async () => {
  await using rig = await Rig.open();
  await rig.bury("Mailer", ORDER, "1", "2");
  await rig.bury("Payments", PAYMENT, "3");
  await rig.bury("Mailer", ORDER, "4");
  await rig.bury("Payments", PAYMENT, "5", "6", "7");
  assertEquals(await rig.pages({}, 2), [["7", "6"], ["5", "4"], ["3", "2"], ["1"]]);
  assertEquals(await rig.pages({}, 7), [["7", "6", "5", "4", "3", "2", "1"]]);
  assertEquals(await rig.pages({ handler: "Mailer" }, 2), [["4", "2"], ["1"]]);
});

Deno.test("letters with the same id in several queues are listed once each, wherever a page ends", async () => {
  await using rig = await Rig.open();
  // The clock stands still: both queues give the ids <now>-0 and <now>-1.
  for (const [handler, category, name] of [["Mailer", ORDER, "a"], ["Payments", PAYMENT, "b"]] as const) {
    await rig.broker.publish(
      numbered(name, 2).map((text) => ({
        stream: `${category}:dlq`,
        data: JSON.stringify({ _dlq_metadata: { handler, failure_reason: text } }),
      })),
    );
  }
  for (const limit of [1, 2, 3, 4]) {
    assertEquals((await rig.pages({}, limit)).flat(), ["a2", "b2", "a1", "b1"], `pages of ${limit}`);
  }
});

Deno.test("a list goes on where it was although letters have come and gone", async () => {
  await using rig = await Rig.open();
  await rig.bury("Mailer", ORDER, "1", "2", "3", "4");
  const { entries, cursor } = await rig.queues.list({ limit: 2 });
  await rig.broker.deadLetters.remove(`${ORDER}:dlq`, entries.map(({ id }) => id));
  await rig.bury("Payments", PAYMENT, "5");
  const rest = await rig.queues.list({ limit: 9, cursor });
  assertEquals(rest.entries.map(({ letter }) => letter.failureReason), ["2", "1"]);
  assertEquals(rest.cursor, undefined);
});

for (const cursor of ["", "1-1", "yesterday@shop::order", "1@shop::order", "1-1@"]) {
  Deno.test(`the cursor '${cursor}' is refused`, async () => {
    await using rig = await Rig.open();
    const error = await assertRejects(() => rig.queues.list({ cursor }), ProteanError, `'${cursor}'`);
    assertEquals(error.code, "DLQ_BAD_CURSOR");
  });
}

Deno.test("a purge of one handler's letters ends with those that were there when it began", async () => {
  await using rig = await Rig.open();
  await rig.bury("Mailer", ORDER, ...numbered("a", 500));
  await rig.bury("Auditor", ORDER, "kept");
  const { deadLetters } = rig.broker;
  // Whatever is removed comes back at once, as it does where a handler keeps failing.
  Object.defineProperty(rig.broker, "deadLetters", {
    value: {
      ...deadLetters,
      remove: async (stream: string, ids: readonly string[]) => {
        const removed = await deadLetters.remove(stream, ids);
        await rig.bury("Mailer", ORDER, ...numbered("again ", ids.length));
        return removed;
      },
    },
  });
  assertEquals((await runOperation(rig.queues, "purge", { handler: "Mailer" }, {}, systemClock)).done, 500);
  assertEquals(await rig.queues.count({ handler: "Mailer" }), 500);
  assertEquals(await rig.queues.count({ subscription: ORDER }), 501);
});

Deno.test("pages are bounded by bytes: two hundred letters of a megabyte are never held together", async () => {
  await using rig = await Rig.open();
  const pad = "x".repeat(1_000_000);
  for (let at = 0; at < 60; at++) {
    const facts = { handler: at % 2 === 0 ? "Mailer" : "Auditor", failure_reason: `${at}` };
    await rig.broker.publish([{
      stream: `${ORDER}:dlq`,
      data: JSON.stringify({ pad, _dlq_metadata: facts }),
    }]);
    await rig.clock.advance(1);
  }
  const { entries } = await rig.queues.list({ handler: "Mailer", limit: 100 });
  assertEquals(entries.map(({ letter }) => letter.failureReason).slice(0, 2), ["58", "56"]);
  assertEquals(entries.length, 30);
  assertEquals(await rig.queues.count({ handler: "Auditor" }), 30);
  assertEquals((await runOperation(rig.queues, "purge", { handler: "Auditor" }, {}, systemClock)).done, 30);
  assertEquals((await rig.queues.list()).entries.length, 30);
  assertLessOrEqual(rig.broker.largest, 17_000_000);
});

Deno.test("queues that are listed together share the bytes that are held at once", async () => {
  await using rig = await Rig.open();
  const data = JSON.stringify({ pad: "x".repeat(1_000_000), _dlq_metadata: { failure_reason: "r" } });
  for (const category of [ORDER, PAYMENT]) {
    for (let at = 0; at < 20; at++) await rig.broker.publish([{ stream: `${category}:dlq`, data }]);
  }
  assertEquals((await rig.queues.list({ limit: 100 })).entries.length, 40);
  assertLessOrEqual(rig.broker.largest, 9_500_000);
});
