/**
 * The drain, step by step (design 7, DRN-1, DRN-3): what happens in which order, and who is waited for how
 * long.
 */
import { assert, assertEquals } from "@std/assert";
import { sleep } from "../../../lib/async/clock.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import type { EngineService, Service } from "../../../lib/async/service.ts";
import { drain, type DrainParts } from "../../../lib/engine/drain.ts";
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
  subscription(ms: number | undefined, afterCut?: number): EngineService {
    const ended = Promise.withResolvers<void>();
    const counters = { cut: 0 };
    let stopping = false;
    const end = (cut: number) => () => {
      counters.cut = cut;
      ended.resolve();
    };
    return {
      ...this.service("subscription"),
      stage: "intake",
      status: () => ({ kind: "subscription", name: "subscription", unfinished: 0, counters }),
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

  /**
   * Publishes what is due, in `ms`; Infinity: for ever. After its cut the batch under way takes `lastBatch`.
   */
  processor(ms = 0, lastBatch?: number): EngineService {
    const ended = Promise.withResolvers<void>();
    const end = () => {
      this.write("outbox is published");
      ended.resolve();
    };
    return {
      ...this.service("outbox"),
      stage: "publishing",
      stop: () => {
        this.write("outbox stops");
        if (ms < Infinity) this.clock.after(ms, end);
        return ended.promise;
      },
      cut: () => {
        this.write("outbox is cut");
        if (lastBatch !== undefined) this.clock.after(lastBatch, end);
      },
    };
  }

  cleaner(ms = 0): EngineService {
    return { ...this.service("cleaner", ms), stage: "maintenance" };
  }

  /** Drains; `signals` are the times of further stop signals. Returns how many handlers were cut. */
  async drain(change: Partial<DrainParts>, ...signals: number[]): Promise<number> {
    const { clock } = this;
    const again = new AbortController();
    for (const at of signals) clock.after(at, () => again.abort());
    const draining = drain({
      services: [],
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

Deno.test("readiness first, intake and maintenance stop, handlers finish, the outbox goes on and is flushed, adapters, the listener last", async () => {
  const diary = new Diary();
  await diary.drain({ services: [diary.processor(700), diary.subscription(3000), diary.cleaner(100)] });
  assertEquals(diary.lines, [
    ...begin,
    "0 cleaner stops",
    "100 cleaner stopped",
    "3000 outbox stops",
    "3700 outbox is published",
    ...end(3700),
  ]);
  assertEquals(diary.clock.pending, 0);
});

Deno.test("every step is logged with its duration", async () => {
  const diary = new Diary();
  const records = await logged(() =>
    diary.drain({ services: [diary.subscription(undefined, 500)], close: hanging })
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
  assertEquals(await diary.drain({ services: [diary.subscription(undefined, 300)] }), 1);
  assertEquals(diary.lines, [...begin, "10000 subscription is cut", ...end(10_300, 1)]);
});

Deno.test("handlers that do not are given up a second after the deadline", async () => {
  const diary = new Diary();
  await diary.drain({ services: [diary.subscription(undefined)], drainTimeoutSeconds: 1 });
  assertEquals(diary.lines, [
    ...begin,
    "1000 subscription is cut",
    "2000 subscription is given up",
    ...end(2000, 1),
  ]);
});

Deno.test("without drain time the cut comes at once", async () => {
  const diary = new Diary();
  await diary.drain({ services: [diary.subscription(undefined, 0)], drainTimeoutSeconds: 0 });
  assertEquals(diary.lines, [...begin, "0 subscription is cut", ...end(0, 1)]);
});

Deno.test("the second signal is the cut, and the handlers' second of grace follows", async () => {
  const diary = new Diary();
  await diary.drain({ services: [diary.subscription(undefined)] }, 200);
  assertEquals(diary.lines, [
    ...begin,
    "200 subscription is cut",
    "1200 subscription is given up",
    ...end(1200, 1),
  ]);
});

Deno.test("a second signal within the grace after the deadline gives up at once", async () => {
  const diary = new Diary();
  await diary.drain({ services: [diary.subscription(undefined)], drainTimeoutSeconds: 1 }, 1200);
  assertEquals(diary.lines.slice(3), ["1200 subscription is given up", ...end(1200, 1)]);
});

Deno.test("a second signal cuts the flush of the outbox, and ends the wait for adapters that hang", async () => {
  const flushing = new Diary();
  await flushing.drain({ services: [flushing.processor(Infinity, 50)] }, 700);
  assertEquals(flushing.lines.slice(1), [
    "0 outbox stops",
    "700 outbox is cut",
    "750 outbox is published",
    ...end(750),
  ]);
  const closing = new Diary();
  await closing.drain({ close: hanging }, 700);
  assertEquals(closing.lines.slice(2), ["700 listener stops", "700 over, 0 cut"]);
});

Deno.test("the flush of the outbox has two seconds, and 0.4 after a cut; the batch under way is waited for", async () => {
  const whole = new Diary();
  await whole.drain({ services: [whole.subscription(0), whole.processor(Infinity, 450)] });
  assertEquals(whole.lines.slice(2), [
    "0 outbox stops",
    "2000 outbox is cut",
    "2450 outbox is published",
    ...end(2450),
  ]);
  const cut = new Diary();
  await cut.drain({
    services: [cut.subscription(undefined, 0), cut.processor(Infinity, 100)],
    drainTimeoutSeconds: 1,
  });
  assertEquals(cut.lines.slice(3), [
    "1000 outbox stops",
    "1400 outbox is cut",
    "1500 outbox is published",
    ...end(1500, 1),
  ]);
});

Deno.test("a batch that hangs is left half a second after the cut", async () => {
  const diary = new Diary();
  await diary.drain({ services: [diary.processor(Infinity)] });
  assertEquals(diary.lines.slice(1), ["0 outbox stops", "2000 outbox is cut", ...end(2500)]);
});

Deno.test("maintenance that hangs keeps no batch waiting beyond the flush", async () => {
  const diary = new Diary();
  await diary.drain({ services: [{ ...diary.cleaner(), stop: hanging }, diary.processor(300)] });
  assertEquals(diary.lines.slice(1), [
    "0 outbox stops",
    "300 outbox is published",
    "2000 outbox is cut",
    ...end(2000),
  ]);
});

Deno.test("what hangs or fails in one place keeps nobody else from the end", async () => {
  const diary = new Diary();
  const broken = () => Promise.reject(new Error("broken"));
  const cut = await diary.drain({
    services: [
      { ...diary.subscription(0), stop: broken },
      { ...diary.processor(), stop: hanging },
      { ...diary.processor(), stop: broken },
      diary.processor(),
      { ...diary.cleaner(), stop: hanging },
    ],
    monitor: { ...diary.service("monitor"), stop: hanging, beginShutdown: () => {} },
    listener: { ...diary.service("listener"), stop: broken },
    close: () => {
      diary.write("adapters close");
      return Promise.reject(new Error("broken"));
    },
  });
  assertEquals(cut, 0);
  assertEquals(diary.lines, [
    "0 outbox stops",
    "0 outbox is published",
    "2000 outbox is cut",
    "2000 outbox is cut",
    "2000 outbox is cut",
    "2500 adapters close",
    "2500 over, 0 cut",
  ]);
});
