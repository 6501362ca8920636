/** The drain, step by step (design 7, DRN-1, DRN-3): what happens in which order, and who is waited for how long. */
import { assert, assertEquals } from "@std/assert";
import { FakeClock, sleep } from "../../../lib/async/clock.ts";
import { type Cuttable, drain, type DrainParts, type Flushable } from "../../../lib/engine/drain.ts";
import type { Service } from "../../../lib/async/service.ts";
import { logged } from "../../support/logged.ts";

const hanging = () => new Promise<never>(() => {});

/** What happened, as `<milliseconds> <what>`. */
class Diary {
  readonly clock = new FakeClock();
  readonly lines: string[] = [];
  readonly #began = this.clock.monotonic();

  write(line: string): void {
    this.lines.push(`${this.clock.monotonic() - this.#began} ${line}`);
  }

  service(name: string, ms = 0): Service {
    return {
      name,
      start: () => Promise.resolve(),
      stop: async () => {
        this.write(`${name} stops`);
        await sleep(this.clock, ms);
        if (ms > 0) this.write(`${name} stopped`);
      },
    };
  }

  /** Its handlers end after `ms`, or `afterCut` after their signal has aborted; undefined: not at all. */
  subscription(ms: number | undefined, afterCut?: number): Cuttable {
    const ended = Promise.withResolvers<void>();
    const counters = { cut: 0 };
    let stopping = false;
    const end = (cut: number) => () => {
      counters.cut = cut;
      ended.resolve();
    };
    return {
      ...this.service("subscription"),
      counters,
      stop: () => {
        if (!stopping) {
          stopping = true;
          this.write("subscription stops");
          if (ms !== undefined) this.clock.after(ms, end(0));
        }
        return ended.promise;
      },
      cut: () => {
        this.write("subscription is cut");
        if (afterCut !== undefined) this.clock.after(afterCut, end(1));
      },
      abandon: () => {
        this.write("subscription is given up");
        end(1)();
        return 1;
      },
    };
  }

  processor(
    name = "outbox",
    pass: (signal: AbortSignal) => Promise<void> = () => Promise.resolve(),
  ): Flushable {
    return {
      ...this.service(name),
      pass: async (signal) => {
        this.write(`${name} passes`);
        signal.addEventListener("abort", () => this.write(`${name} is cut`));
        await pass(signal);
      },
    };
  }

  /** Drains; `signals` are the times of further stop signals. Answers how many handlers were cut. */
  async drain(change: Partial<DrainParts>, ...signals: number[]): Promise<number> {
    const { clock } = this;
    const again = new AbortController();
    for (const at of signals) clock.after(at, () => again.abort());
    const draining = drain({
      subscriptions: [],
      processors: [],
      maintenance: [],
      monitor: { ...this.service("monitor"), beginShutdown: () => this.write("readiness says 503") },
      listener: this.service("listener"),
      close: () => {
        this.write("adapters close");
        return Promise.resolve([]);
      },
      clock,
      drainTimeoutSeconds: 10,
      ...change,
    }, again.signal);
    let cut: number | undefined;
    const done = draining.then((result) => {
      cut = result;
      this.write(`over, ${result} cut`);
    });
    for (let turn = 0; turn < 600 && cut === undefined; turn++) await clock.advance(50);
    assert(cut !== undefined, `the drain has not ended within half a minute:\n${this.lines.join("\n")}`);
    await done;
    return cut;
  }
}

const end = (ms: number, cut = 0) => [
  `${ms} monitor stops`,
  `${ms} adapters close`,
  `${ms} listener stops`,
  `${ms} over, ${cut} cut`,
];
const begin = ["0 readiness says 503", "0 subscription stops"];

Deno.test("readiness first, everything stops, handlers finish, a last outbox pass, adapters, the listener last", async () => {
  const diary = new Diary();
  await diary.drain({
    subscriptions: [diary.subscription(3000)],
    processors: [diary.processor()],
    maintenance: [diary.service("cleaner", 100)],
  });
  assertEquals(diary.lines, [
    ...begin,
    "0 cleaner stops",
    "0 outbox stops",
    "100 cleaner stopped",
    "3000 outbox passes",
    ...end(3000),
  ]);
  assertEquals(diary.clock.pending, 0);
});

Deno.test("every step is logged with its duration", async () => {
  const diary = new Diary();
  const records = await logged(() =>
    diary.drain({ subscriptions: [diary.subscription(undefined, 500)], close: hanging })
  );
  assertEquals(records.map(({ rawMessage, properties }) => [rawMessage, properties]), [
    ["engine.handlers_drained", { duration_ms: 10_500 }],
    ["engine.outbox_flushed", { duration_ms: 0 }],
    ["engine.drain_step_left", { step: "adapters_closed" }],
    ["engine.adapters_closed", { duration_ms: 2000 }],
    ["engine.health_listener_closed", { duration_ms: 0 }],
    ["engine.drained", { duration_ms: 12_500, cut: 1 }],
  ]);
});

Deno.test("handlers that heed their signal end with it: cut, and not given up", async () => {
  const diary = new Diary();
  assertEquals(await diary.drain({ subscriptions: [diary.subscription(undefined, 300)] }), 1);
  assertEquals(diary.lines, [...begin, "10000 subscription is cut", ...end(10_300, 1)]);
});

Deno.test("handlers that do not are given up a second after the deadline", async () => {
  const diary = new Diary();
  await diary.drain({ subscriptions: [diary.subscription(undefined)], drainTimeoutSeconds: 1 });
  assertEquals(diary.lines, [
    ...begin,
    "1000 subscription is cut",
    "2000 subscription is given up",
    ...end(2000, 1),
  ]);
});

Deno.test("without drain time the cut comes at once", async () => {
  const diary = new Diary();
  await diary.drain({ subscriptions: [diary.subscription(undefined, 0)], drainTimeoutSeconds: 0 });
  assertEquals(diary.lines, [...begin, "0 subscription is cut", ...end(0, 1)]);
});

Deno.test("the second signal is the cut, and the handlers' second of grace follows", async () => {
  const diary = new Diary();
  await diary.drain({ subscriptions: [diary.subscription(undefined)] }, 200);
  assertEquals(diary.lines, [
    ...begin,
    "200 subscription is cut",
    "1200 subscription is given up",
    ...end(1200, 1),
  ]);
});

Deno.test("a second signal within the grace after the deadline gives up at once", async () => {
  const diary = new Diary();
  await diary.drain({ subscriptions: [diary.subscription(undefined)], drainTimeoutSeconds: 1 }, 1200);
  assertEquals(diary.lines.slice(3), ["1200 subscription is given up", ...end(1200, 1)]);
});

Deno.test("a second signal ends the wait for the last outbox pass, and for adapters that hang", async () => {
  const passing = new Diary();
  await passing.drain({ processors: [passing.processor("outbox", hanging)] }, 700);
  assertEquals(passing.lines.slice(2), ["0 outbox passes", "700 outbox is cut", ...end(700)]);
  const closing = new Diary();
  await closing.drain({ close: hanging }, 700);
  assertEquals(closing.lines.slice(2), ["700 listener stops", "700 over, 0 cut"]);
});

Deno.test("a last outbox pass has two seconds, and 0.4 after a cut", async () => {
  const whole = new Diary();
  await whole.drain({
    subscriptions: [whole.subscription(0)],
    processors: [whole.processor("outbox", hanging)],
  });
  assertEquals(whole.lines.slice(3), ["0 outbox passes", "2000 outbox is cut", ...end(2000)]);
  const cut = new Diary();
  await cut.drain({
    subscriptions: [cut.subscription(undefined, 0)],
    processors: [cut.processor("outbox", hanging)],
    drainTimeoutSeconds: 1,
  });
  assertEquals(cut.lines.slice(4), ["1000 outbox passes", "1400 outbox is cut", ...end(1400, 1)]);
});

Deno.test("what hangs or fails in one place keeps nobody else from the end", async () => {
  const diary = new Diary();
  const broken = () => Promise.reject(new Error("broken"));
  const cut = await diary.drain({
    subscriptions: [{ ...diary.subscription(0), stop: broken }],
    processors: [
      { ...diary.processor("stuck"), stop: hanging },
      { ...diary.processor("broken"), stop: broken },
      diary.processor("failing", broken),
      diary.processor("sound"),
    ],
    maintenance: [{ ...diary.service("cleaner"), stop: hanging }],
    monitor: { ...diary.service("monitor"), stop: hanging, beginShutdown: () => {} },
    listener: { ...diary.service("listener"), stop: broken },
    close: () => {
      diary.write("adapters close");
      return Promise.reject(new Error("broken"));
    },
  });
  assertEquals(cut, 0);
  assertEquals(diary.lines, [
    "0 failing stops",
    "0 sound stops",
    "0 broken passes",
    "0 failing passes",
    "0 sound passes",
    "2000 broken is cut",
    "2000 failing is cut",
    "2000 sound is cut",
    "2000 adapters close",
    "2000 over, 0 cut",
  ]);
});
