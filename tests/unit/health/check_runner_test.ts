/** Checks of a team's own: run in each process, bounded, isolated, shown, and part of readiness only where asked. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { CheckDefinition, CheckOptions, CheckRun } from "../../../lib/domain/check.ts";
import { IncorrectUsageError } from "../../../lib/errors.ts";
import { engineReadiness } from "../../../lib/health/bodies.ts";
import { CheckRunner } from "../../../lib/health/check_runner.ts";
import { HealthMonitor } from "../../../lib/health/monitor.ts";
import { Domain } from "../../../lib/mod.ts";
import { poolSnapshot } from "../../../lib/supervisor/health.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { logged } from "../../support/logged.ts";

function check(name: string, run: CheckRun, own: Partial<CheckDefinition> = {}): CheckDefinition {
  return { name, run, everySeconds: 60, timeoutMs: 5_000, gatesReadiness: false, ...own };
}

function states({ states }: CheckRunner): string[] {
  return states.map(({ name, status, error }) =>
    `${name} ${status}${error === undefined ? "" : ` ${error}`}`
  );
}

Deno.test("a check runs at the start and every everySeconds, and fails where it throws, rejects or returns false", async () => {
  const clock = new FakeClock();
  let runs = 0;
  let answer: unknown = true;
  const runner = new CheckRunner({
    clock,
    checks: [
      check("pay", () => (runs++, answer), { everySeconds: 30 }),
      check("throws", () => {
        throw new TypeError("no");
      }),
      check("rejects", () => Promise.reject(new Error("not at https://me:hunter2@pay.example\nnow"))),
      check("says so", () => Promise.resolve(false)),
      check("says nothing", () => {}),
    ],
  });
  assertEquals(states(runner)[0], "pay pending");
  const records = await logged(async () => {
    await runner.start();
    await clock.advance(0);
    assertEquals(states(runner), [
      ...[
        "pay ok",
        "throws failed TypeError: no",
        "rejects failed Error: not at https://me:***@pay.example now",
      ],
      ...["says so failed it returned false", "says nothing ok"],
    ]);
    answer = false;
    await clock.advance(30_000);
    assertEquals([runs, states(runner)[0]], [2, "pay failed it returned false"]);
    await clock.advance(30_000);
    answer = undefined;
    await clock.advance(30_000);
    assertEquals([runs, states(runner)[0]], [4, "pay ok"]);
    await runner.stop();
  });
  const told = records.map(({ rawMessage, properties }) => `${rawMessage} ${properties["check"]}`);
  assertEquals(told, [
    ...["check.failed throws", "check.failed rejects", "check.failed says so"],
    ...["check.failed pay", "check.recovered pay"],
  ]);
  assertEquals(clock.pending, 0);
});

Deno.test("a check that hangs fails in time, its signal aborts, and it is not called again before it is back", async () => {
  const clock = new FakeClock();
  const signals: AbortSignal[] = [];
  const hanging = Promise.withResolvers<boolean>();
  const ran: [number, boolean][] = [];
  const runner = new CheckRunner({
    clock,
    checks: [
      check("hangs", ({ signal }) => {
        signals.push(signal);
        return signals.length === 1 ? hanging.promise : true;
      }, { everySeconds: 10, timeoutMs: 2_000 }),
      check("other", () => true, { everySeconds: 1 }),
    ],
    observer: {
      check: (name) => ({ ran: (ms, passed) => void (name === "hangs" && ran.push([ms, passed])) }),
    },
  });
  await runner.start();
  await clock.advance(2_000);
  assertEquals(states(runner), ["hangs failed it did not come back within 2000 ms", "other ok"]);
  assertEquals([signals.length, signals[0]?.aborted], [1, true]);
  await clock.advance(10_000);
  assertEquals(states(runner)[0], "hangs failed it has not come back from an earlier run");
  hanging.resolve(true);
  await clock.advance(10_000);
  assertEquals([states(runner)[0], signals.length], ["hangs ok", 2]);
  assertEquals(ran, [[2_000, false], [0, false], [0, true]]);
  await runner.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("a check that is cut by the end of the server says nothing of what it checks", async () => {
  const clock = new FakeClock();
  let aborted = false;
  const runner = new CheckRunner({
    clock,
    checks: [check("slow", ({ signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          aborted = true;
          reject(signal.reason);
        })
      ))],
  });
  const records = await logged(async () => {
    await runner.start();
    await clock.advance(100);
    await runner.stop();
  });
  assertEquals([aborted, states(runner), records.length], [true, ["slow pending"], 0]);
});

Deno.test("/readyz shows checks, and goes by them only where gatesReadiness says so", () => {
  const state = (name: string, status: "ok" | "failed" | "pending", gatesReadiness: boolean) => ({
    ...{ name, status, gatesReadiness, ...(status === "failed" && { error: "no answer" }) },
  });
  const answer = (...checks: ReturnType<typeof state>[]) => {
    const monitor = new HealthMonitor({ components: [], clock: new FakeClock(), checks: () => checks });
    const { status, body } = engineReadiness(monitor.snapshot());
    return `${status} ${JSON.stringify(body)}`;
  };
  assertStringIncludes(
    answer(state("pay", "ok", true)),
    '200 {"status":"ok","checks":{"shutting_down":false,',
  );
  assertStringIncludes(answer(state("pay", "ok", true)), '"domain_checks":{"pay":"ok"}');
  const warned = answer(state("pay", "failed", false), state("new", "pending", false));
  assertStringIncludes(warned, '200 {"status":"ok"');
  assertStringIncludes(warned, '"domain_checks":{"pay":"failed","new":"pending"}');
  assertStringIncludes(warned, '"warnings":[{"component":"check","name":"pay","warning":"no answer"}]');
  const gated = answer(state("pay", "failed", true));
  assertStringIncludes(gated, '503 {"status":"degraded"');
  assertStringIncludes(gated, '"reasons":[{"component":"check","name":"pay","reason":"no answer"}]');
  assertStringIncludes(answer(state("pay", "pending", true)), "503 ");
  assertEquals(answer().includes("domain_checks"), false);
});

Deno.test("a supervisor shows each check as it is where it is worst", () => {
  const slot = (number: number, status: "ok" | "failed") => ({
    ...{ number, restarts: 0 },
    current: {
      ...{ pid: number, page: () => Promise.resolve(undefined) },
      health: {
        ...{ blocked: false, begun: true },
        snapshot: {
          ...{ shuttingDown: false, components: [] },
          checks: [{ name: "pay", status, gatesReadiness: true }],
        },
      },
    },
  });
  // deno-lint-ignore no-explicit-any
  const slots = [slot(1, "ok"), slot(2, "failed")] as any;
  const { status, body } = engineReadiness(poolSnapshot({ slots, stopping: false, quiesced: false }));
  assertEquals(status, 503);
  assertStringIncludes(JSON.stringify(body), '"domain_checks":{"pay":"failed"}');
});

for (
  const [name, run, options, sentence] of [
    ["", () => true, {}, "a name of 1 to 100 characters"],
    ["x".repeat(101), () => true, {}, "a name of 1 to 100 characters"],
    ["pay", undefined, {}, "needs a function"],
    ["pay", () => true, { everySeconds: 0 }, "'everySeconds' of the check pay must be a number above 0"],
    ["pay", () => true, { everySeconds: NaN }, "current value is NaN"],
    ["pay", () => true, { everySeconds: 1e9 }, "at most 86400"],
    ["pay", () => true, { timeoutMs: -1 }, "'timeoutMs'"],
    ["pay", () => true, { timeoutMs: "1" }, "'timeoutMs'"],
    ["pay", () => true, { gatesReadiness: 1 }, "true or false"],
    ["pay", () => true, { everySecond: 1 }, "did you mean 'everySeconds'?"],
    ["there", () => true, {}, "declared twice"],
  ] as const
) {
  Deno.test(`domain.check(${JSON.stringify(name.slice(0, 9))}, …, ${JSON.stringify(options)}) is refused`, () => {
    const domain = new Domain("shop");
    domain.check("there", () => true);
    const error = assertThrows(
      () => domain.check(name, run as unknown as CheckRun, options as CheckOptions),
      IncorrectUsageError,
    );
    assertStringIncludes(error.message, sentence);
  });
}
