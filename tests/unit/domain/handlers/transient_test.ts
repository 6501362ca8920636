/** Retries inside one delivery after errors that usually pass (S65, wire 10.7), beside those of conflicts. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Discard,
  ExpectedVersionError,
  type HandlerOptions,
  IncorrectUsageError,
  on,
  type Row,
} from "@protean/server";
import { isTransient, transientPolicy } from "../../../../lib/domain/work/transient.ts";
import { FREE, handle, inMemory, outbox, published, runnerOf, shop, started } from "../fixture.ts";

const data = { orderId: "1", amount: 5 };
const ENABLED: Row = { transient_retry: { enabled: true } };

class SendError extends Error {}
class MailError extends SendError {}

/** A handler that throws what it is given, one after the other, and the times (ms) at which it ran. */
async function running(
  thrown: readonly unknown[],
  server: Row,
  options: Partial<HandlerOptions> = {},
): Promise<{
  readonly run: () => Promise<{ readonly outcome: string; readonly at: readonly number[] }>;
  readonly rows: () => Promise<unknown[]>;
  [Symbol.asyncDispose](): PromiseLike<void>;
}> {
  const { domain, Order, OrderPlaced, Counter } = shop();
  const left = [...thrown];
  const at: number[] = [];
  domain.eventHandler("Events", {
    ...{ partOf: Order, ...options },
    handles: [on(OrderPlaced, async (_, ctx) => {
      at.push(clock.monotonic() - began);
      const rows = await ctx.view(Counter).list();
      await ctx.view(Counter).put({ id: `${at.length}`, count: rows.length });
      if (left.length > 0) throw left.shift();
    })],
  });
  const started_ = await started(domain, { config: inMemory({ server }) });
  const { clock, runtime } = started_;
  const message = await published(runtime, domain, OrderPlaced);
  let began = 0;
  return {
    run: async () => {
      began = clock.monotonic();
      const result = handle(runnerOf(runtime, "Events"), message).catch((error) =>
        `failed: ${error.message}`
      );
      await clock.advance(60_000);
      return { outcome: await result, at };
    },
    rows: async () => await domain.unitOfWork((ctx) => ctx.view(Counter).list()),
    [Symbol.asyncDispose]: () => started_[Symbol.asyncDispose](),
  };
}

Deno.test("S65: off by default; switched on, listed errors are tried again in fresh units of work, backing off", async () => {
  const errors = () => [new SendError("1"), new Error("outer", { cause: new MailError("2") })];
  {
    await using off = await running(errors(), {});
    assertEquals(await off.run(), { outcome: "failed: 1", at: [0] });
  }
  await using on = await running(errors(), ENABLED);
  assertEquals(await on.run(), { outcome: "handled", at: [0, 100, 300] });
  // What the tries before had written is gone.
  assertEquals(await on.rows(), [{ id: "3", count: 0 }]);
});

Deno.test("S65: a handler's own retries, backoff and exceptions come first, 0 switches it off", async () => {
  const errors = [1, 2, 3, 4].map((n) => new SendError(`${n}`));
  const cases: [Partial<HandlerOptions>, Row, string, number[]][] = [
    [{ retries: 0 }, ENABLED, "failed: 1", [0]],
    [{ retries: 2 }, {}, "failed: 3", [0, 100, 300]],
    [{ retries: 4, backoff: "linear" }, ENABLED, "handled", [0, 100, 300, 600, 1000]],
    [{ retries: 4, backoff: "fixed" }, ENABLED, "handled", [0, 100, 200, 300, 400]],
    [{ retryExceptions: ["shop.errors.OutOfStock"] }, ENABLED, "failed: 1", [0]],
    [{}, { transient_retry: { enabled: true, max_delay_seconds: 0.15 } }, "failed: 4", [0, 100, 250, 400]],
    [{}, { transient_retry: { enabled: true, max_retries: 0 } }, "failed: 1", [0]],
  ];
  for (const [options, server, outcome, at] of cases) {
    await using tried = await running(errors, server, options);
    assertEquals(await tried.run(), { outcome, at });
  }
});

Deno.test("S65: conflicts and errors that pass are counted each by itself, and each on its own schedule", async () => {
  const conflict = () => new ExpectedVersionError("first");
  const thrown = [
    conflict(),
    new SendError("1"),
    conflict(),
    new SendError("2"),
    conflict(),
    new SendError("3"),
  ];
  await using tried = await running(thrown, ENABLED);
  assertEquals(await tried.run(), { outcome: "handled", at: [0, 50, 150, 250, 450, 650, 1050] });
});

Deno.test("S65: nothing is waited for beyond a command's deadline, nor once the signal has aborted", async () => {
  const { domain, Order, PlaceOrder } = shop();
  let tries = 0;
  domain.commandHandler("Commands", {
    partOf: Order,
    handles: [on(PlaceOrder, () => {
      tries++;
      throw new SendError("no");
    })],
  });
  await using started_ = await started(domain, { config: inMemory({ server: ENABLED }) });
  const { clock, runtime } = started_;
  const handled = domain.process(PlaceOrder, data, { asynchronous: false, timeoutMs: 250 });
  const outcome = assertRejects(() => handled, SendError);
  await clock.advance(1_000);
  await outcome;
  assertEquals(tries, 2);
  await domain.process(PlaceOrder, data);
  const [message] = await outbox(runtime);
  assert(message);
  const abort = new AbortController();
  const cut = handle(runnerOf(runtime, "Commands"), message, { ...FREE, signal: abort.signal });
  const cutOutcome = assertRejects(() => cut, SendError);
  await clock.advance(10);
  abort.abort();
  await cutOutcome;
  assertEquals([tries, clock.pending], [3, 0]);
});

Deno.test("what passes is known by its class, those above it, its code, and what Deno and Node call it", async () => {
  const policy = transientPolicy({
    ...{ enabled: true, max_retries: 1, backoff: "fixed", base_delay_seconds: 0, max_delay_seconds: 0 },
    exceptions: [
      "builtins.ConnectionError",
      "builtins.TimeoutError",
      "protean.exceptions.SendError",
      "E_BUSY",
    ],
  }, {});
  assert(policy);
  const refused = await Deno.connect({ port: 1 }).catch((error) => error);
  const unfound = await fetch("http://nobody.invalid/").catch((error) => error);
  const late = await new Promise((resolve) => {
    const { signal } = { signal: AbortSignal.timeout(0) };
    signal.addEventListener("abort", () => resolve(signal.reason));
  });
  for (
    const error of [
      ...[
        new SendError(),
        new MailError(),
        new Error("", { cause: new SendError() }),
        refused,
        unfound,
        late,
      ],
      ...[Object.assign(new Error(), { code: "E_BUSY" }), Object.assign(new Error(), { code: "ECONNRESET" })],
    ]
  ) assert(isTransient(policy, error), String(error));
  const round = new Error();
  round.cause = round;
  const hostile = new Proxy({}, {
    getPrototypeOf: () => {
      throw new Error("no");
    },
  });
  const others = [undefined, null, "SendError", new Error("SendError"), new TypeError("x"), round, hostile];
  for (const error of [...others, new Discard("old"), { name: "SendError" }]) {
    assert(!isTransient(policy, error));
  }
});

Deno.test("impossible retries are told when the handler is declared", () => {
  const { domain, Order, OrderPlaced } = shop();
  const declare = (options: object) =>
    domain.eventHandler("Events", { partOf: Order, handles: [on(OrderPlaced, () => {})], ...options });
  const wrong: readonly (readonly [object, string])[] = [
    ...[-1, 1.5, NaN, "3", null].map((retries) => [{ retries }, "The retries of Events"] as const),
    ...["twice", 5].map((backoff) => [{ backoff }, "The backoff of Events"] as const),
    ...["SendError", [1], [""]].map((retryExceptions) =>
      [{ retryExceptions }, "The retryExceptions of Events"] as const
    ),
  ];
  for (const [options, message] of wrong) {
    assertThrows(() => declare(options), IncorrectUsageError, message);
  }
});
