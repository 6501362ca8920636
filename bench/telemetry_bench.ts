/**
 * What telemetry costs (issue 16):
 *
 * - the no-op engine on Redis with metrics on against off (limit: 5 % slower), and with traces sampled at 1 % and
 *   everything exported against metrics alone (limit: 5 % more); the order changes from round to round, each ratio
 *   is the median of those within a round;
 * - what the log of handled messages costs a message while nobody wants it (limit: 2 % of a message);
 * - a scrape of 1,000 series (limit: 50 ms);
 * - from the start of the process to its first log line, on against off.
 *
 * `deno run -A --v8-flags=--heap-growing-percent=60 bench/telemetry_bench.ts [messages] [rounds]`
 *
 * @module
 */
import { systemClock } from "../lib/async/clock.ts";
import { loadConfig } from "../lib/config/load.ts";
import { AccessLog } from "../lib/domain/handlers/access_log.ts";
import { OUTSIDE } from "../lib/domain/work/outgoing.ts";
import { LiveTelemetry } from "../lib/telemetry/live.ts";
import { telemetrySettings } from "../lib/telemetry/settings.ts";
import { OtlpSink } from "../tests/support/otlp_sink.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { NoOpEngine } from "./no_op_engine.ts";
import { median, print, ratio } from "./report.ts";

const MESSAGES = Number(Deno.args[0] ?? 50_000);
const ROUNDS = Number(Deno.args[1] ?? 7);
const SERIES = 1_000;
const MOST_SCRAPE_MS = 50;
const STARTS = 9;

await accessLog(await throughput());
await scrape();
await starts();

/** Returns how many nanoseconds a message takes with everything off. */
async function throughput(): Promise<number> {
  await using server = await RedisServer.start();
  await using sink = new OtlpSink();
  const engine = new NoOpEngine(server.uri, MESSAGES);
  const metrics = { server: { metrics: { enabled: true } } };
  const endpoint = `http://127.0.0.1:${sink.port}`;
  const kinds = {
    off: {},
    metrics,
    traces: { ...metrics, telemetry: { enabled: true, endpoint, trace_sample_ratio: 0.01 } },
  };
  const rates = { off: [] as number[], metrics: [] as number[], traces: [] as number[] };
  const names = ["off", "metrics", "traces"] as const;
  // The first run is nobody's: it warms up what all of them share.
  for (let round = -1; round < ROUNDS; round++) {
    for (const at of names.keys()) {
      const name = names[(at + Math.max(0, round)) % names.length] ?? "off";
      await engine.fill();
      const figure = await engine.run(kinds[name]);
      if (round >= 0) rates[name].push(figure);
    }
  }
  engine.close();
  const shares = (ours: readonly number[], others: readonly number[]) =>
    median(ours.map((figure, round) => ratio(figure, others[round] ?? NaN)));
  print(
    "metrics on, messages/s",
    median(rates.metrics),
    "off",
    median(rates.off),
    shares(rates.metrics, rates.off),
  );
  print(
    "traces at 1 % and OTLP, messages/s",
    median(rates.traces),
    "metrics alone",
    median(rates.metrics),
    shares(rates.traces, rates.metrics),
  );
  return 1e9 / median(rates.off);
}

async function accessLog(perMessageNs: number): Promise<void> {
  const { config: { logging } } = await loadConfig({ domain: "bench", config: {} });
  const access = new AccessLog({ handler: "NoOp", kind: "event_handler", logging });
  const CALLS = 1_000_000;
  const rounds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    for (let call = 0; call < CALLS; call++) {
      const start = systemClock.monotonic();
      access.ended(1, OUTSIDE, access.entry(start), undefined);
    }
    rounds.push((performance.now() - began) * 1e6 / CALLS);
  }
  const own = median(rounds);
  print(
    "log of handled messages, unwanted, ns",
    own,
    "a whole message, ns",
    perMessageNs,
    own / perMessageNs,
  );
}

async function scrape(): Promise<void> {
  const loaded = await loadConfig({
    domain: "bench",
    config: { server: { metrics: { enabled: true } } },
  });
  const settings = telemetrySettings({ normalizedName: "bench", config: loaded }, () => undefined);
  if (!settings) throw new Error("Telemetry is off.");
  const telemetry = new LiveTelemetry({
    ...{ settings, clock: systemClock, instance: "bench" },
    systemOf: () => "redis",
    isExternal: () => false,
  });
  const count = (page: string) => page.split("\n").filter((line) => line !== "" && line[0] !== "#").length;
  let page = await telemetry.scrape();
  for (let n = 0; count(page) < SERIES; n++) {
    const told = telemetry.observer.subscription?.({
      handler: `H${n}`,
      category: `bench::s${n}`,
      group: "g",
    });
    told?.happened("handled", 1);
    told?.ran?.(1, undefined);
    told?.settled?.(1);
    page = await telemetry.scrape();
  }
  const times: number[] = [];
  for (let round = 0; round < 50; round++) {
    const began = performance.now();
    await telemetry.scrape();
    times.push(performance.now() - began);
  }
  await telemetry.close();
  const ms = median(times);
  print(
    `scrape of ${count(page)} series, µs`,
    ms * 1000,
    "the limit",
    MOST_SCRAPE_MS * 1000,
    ms / MOST_SCRAPE_MS,
  );
}

async function starts(): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const texts = {
      off: "",
      // Nobody listens there, which is the worse case.
      on: '[telemetry]\nenabled = true\nendpoint = "http://127.0.0.1:4"\n[server.metrics]\nenabled = true\n',
    };
    const figures = { off: [] as number[], on: [] as number[] };
    for (const [name, text] of Object.entries(texts)) {
      await Deno.writeTextFile(`${folder}/${name}.toml`, `${text}[server.health]\nenabled = false\n`);
    }
    for (let round = 0; round < STARTS; round++) {
      for (const name of round % 2 === 0 ? ["off", "on"] as const : ["on", "off"] as const) {
        figures[name].push(await firstLine(folder, `${folder}/${name}.toml`));
      }
    }
    const [on, off] = [median(figures.on), median(figures.off)];
    print("start to first log line with telemetry, ms", on, "without", off, ratio(on, off));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Milliseconds from the start of a server to its first line; the executable of PROTEAN_BINARY, or the source. */
async function firstLine(cwd: string, config: string): Promise<number> {
  const binary = Deno.env.get("PROTEAN_BINARY");
  const root = new URL("../", import.meta.url).pathname;
  const began = performance.now();
  const child = new Deno.Command(binary ?? Deno.execPath(), {
    args: [
      ...binary ? [] : ["run", "-A", `--config=${root}deno.json`, `${root}main.ts`],
      ...["server", "--domain=my_domain", `--config=${config}`, "--log-format=json"],
    ],
    cwd,
    ...{ stdin: "null", stdout: "null", stderr: "piped" },
  }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/^\{"event"/m.test(text)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The server has ended without a line: ${text}`);
    text += value;
  }
  const ms = performance.now() - began;
  child.kill("SIGKILL");
  await reader.cancel();
  await child.status;
  return ms;
}
