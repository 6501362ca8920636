/** A collector that takes nothing: what waits for it is bounded, nobody else waits, and the end is in time (F24, TEL-2). */
import { assert, assertEquals } from "@std/assert";
import { loadConfig } from "../../../lib/config/load.ts";
import { LiveTelemetry } from "../../../lib/telemetry/live.ts";
import { telemetrySettings } from "../../../lib/telemetry/settings.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { OtlpSink } from "../../support/otlp_sink.ts";
import { until } from "../../support/until.ts";

/** A collector that keeps its answers to itself until it is `mended`. */
class Silent implements AsyncDisposable {
  readonly sink = new OtlpSink();
  readonly #mended = Promise.withResolvers<void>();
  asked = 0;
  #silent = true;

  constructor() {
    this.sink.answer((request) => {
      if (!this.#silent) return undefined;
      this.asked++;
      return this.#mended.promise.then(() => request.body?.cancel()).then(() =>
        new Response("later", { status: 503 })
      );
    });
  }

  mend(): void {
    this.#silent = false;
    this.#mended.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.mend();
    await this.sink[Symbol.asyncDispose]();
  }
}

async function telemetry(port: number, clock: FakeClock): Promise<LiveTelemetry> {
  const config = await loadConfig({
    domain: "shop",
    config: {
      telemetry: {
        ...{ enabled: true, endpoint: `http://127.0.0.1:${port}`, protocol: "http/protobuf" },
        ...{ trace_sample_ratio: 1, flush_timeout_seconds: 1.5 },
      },
    },
  });
  const settings = telemetrySettings({ normalizedName: "shop", config }, () => undefined);
  assert(settings);
  return new LiveTelemetry({
    ...{ settings, clock, instance: "shop-1" },
    systemOf: () => "redis",
    isExternal: () => false,
  });
}

/** As many commands as that are told: a span each. */
function work(live: LiveTelemetry, count: number): void {
  for (let at = 0; at < count; at++) live.observer.command?.("Shop.Place.v1", "enqueued")?.ended();
}

Deno.test("while the collector is silent nobody waits, one export of metrics is under way, and spans are bounded", async () => {
  await using silent = new Silent();
  const clock = new FakeClock();
  const live = await telemetry(silent.sink.port, clock);
  work(live, 5_000);
  await clock.advance(60_000);
  await until(() => silent.asked > 0, "the collector to be asked");
  // Four more intervals: nothing piles up behind what is under way.
  for (let interval = 0; interval < 4; interval++) {
    work(live, 5_000);
    await clock.advance(5_000);
  }
  assert(silent.asked <= 8, `${silent.asked} requests are under way at once`);
  silent.mend();
  await live.close();
  const spans = silent.sink.spans.length;
  // The queue, and what was taken from it before.
  assert(spans > 0 && spans <= 2 * 2_048, `${spans} of 25,000 spans were kept`);
  const [commands] = silent.sink.points("protean.command.processed");
  assertEquals(commands?.value, 25_000);
});

Deno.test("the end waits for a silent collector for flush_timeout_seconds, and not a moment longer", async () => {
  await using silent = new Silent();
  const clock = new FakeClock();
  const live = await telemetry(silent.sink.port, clock);
  work(live, 10);
  let closed = false;
  const closing = live.close().then(() => closed = true);
  await until(() => silent.asked === 2, "metrics and spans to be under way");
  await clock.advance(1_499);
  assertEquals(closed, false);
  await clock.advance(1);
  await closing;
  assertEquals(clock.pending, 0);
});
