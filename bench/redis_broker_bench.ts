/**
 * The Redis broker against the bare client, in one run on one server of its own: reading and acknowledging,
 * and publishing. The median of the rounds, in which all take turns. Run:
 * `deno run -A bench/redis_broker_bench.ts [messages] [rounds]`
 *
 * @module
 */
import { Redis } from "ioredis";
import { RedisBroker } from "../lib/adapters/redis/broker.ts";
import { systemClock } from "../lib/async/clock.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { print, rate, ratio } from "./report.ts";

const BATCH = 100;
const STREAM = "bench::order";
const GROUP = "bench.Handler";

/** A message of 500 bytes. */
const payload = (() => {
  const message = {
    data: { order_id: "ord-1", note: "" },
    metadata: { headers: { id: "bench::order-1-0.1" } },
  };
  const missing = 500 - JSON.stringify(message).length;
  return JSON.stringify({ ...message, data: { ...message.data, note: "x".repeat(missing) } });
})();

/** One competitor: what is timed, and what is made ready before. */
interface Lane {
  readonly name: string;
  readonly run: (messages: number) => Promise<void>;
  readonly filled: boolean;
}

if (import.meta.main) {
  const [messages = 100_000, rounds = 5] = Deno.args.map(Number);
  await using server = await RedisServer.start();
  const bare = new Redis(server.port);
  const broker = new RedisBroker({
    name: "default",
    domain: "bench",
    settings: { URI: server.uri },
    folder: Deno.cwd(),
    clock: systemClock,
  });
  await broker.open();
  try {
    const figures = await measure(lanes(bare, broker), bare, messages, rounds);
    report(figures, "bare read 100, XACK", ["broker read 100 with ack", "bare XACK with the next read"]);
    report(figures, "bare pipeline of 100", ["broker publish of 100"]);
  } finally {
    await broker.close();
    bare.disconnect();
  }
}

function lanes(bare: Redis, broker: RedisBroker): readonly Lane[] {
  const group = broker.group({ stream: STREAM, group: GROUP, consumer: "c-1" });
  const entries = Array.from({ length: BATCH }, () => ({ stream: STREAM, data: payload }));
  return [
    {
      name: "bare read 100, XACK",
      filled: true,
      run: async (messages) => {
        for (let left = messages; left > 0;) {
          const ids = await bareRead(bare);
          await bare.xack(STREAM, GROUP, ...ids);
          left -= ids.length;
        }
      },
    },
    {
      name: "bare XACK with the next read",
      filled: true,
      run: async (messages) => {
        let ids = await bareRead(bare);
        for (let left = messages - ids.length; left > 0; left -= ids.length) {
          const acknowledged = bare.xack(STREAM, GROUP, ...ids);
          [ids] = await Promise.all([bareRead(bare), acknowledged]);
        }
        await bare.xack(STREAM, GROUP, ...ids);
      },
    },
    {
      name: "broker read 100 with ack",
      filled: true,
      run: async (messages) => {
        let ack: string[] = [];
        for (let left = messages; left > 0; left -= ack.length) {
          const entries = await group.read({ count: BATCH, blockMs: 1000, ack });
          ack = entries.map(({ id, data = "" }) => {
            JSON.parse(data);
            return id;
          });
        }
        await group.ack(ack);
      },
    },
    {
      name: "bare pipeline of 100",
      filled: false,
      run: async (messages) => {
        for (let sent = 0; sent < messages; sent += BATCH) {
          const pipeline = bare.pipeline();
          for (const { stream, data } of entries) pipeline.xadd(stream, "*", "data", data);
          await pipeline.exec();
        }
      },
    },
    {
      name: "broker publish of 100",
      filled: false,
      run: async (messages) => {
        for (let sent = 0; sent < messages; sent += BATCH) await broker.publish(entries);
      },
    },
  ];
}

/**
 * The loop that PERF-1 compares with: read, parse; the caller acknowledges. No lane reads when nothing is
 * left.
 */
async function bareRead(bare: Redis): Promise<string[]> {
  const reply = await bare.xreadgroup("GROUP", GROUP, "c-1", "COUNT", BATCH, "STREAMS", STREAM, ">");
  if (!reply) return [];
  const [[, entries]] = reply as [[string, [string, string[]][]]];
  return entries.map(([id, fields]) => {
    JSON.parse(fields[1] ?? "");
    return id;
  });
}

/** Messages per second of each lane, the median over rounds in which all take turns. */
async function measure(
  lanes: readonly Lane[],
  bare: Redis,
  messages: number,
  rounds: number,
): Promise<ReadonlyMap<string, number>> {
  const rates = new Map<string, number[]>(lanes.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, filled, run } of lanes) {
      await bare.flushall();
      await bare.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
      if (filled) await fill(bare, messages);
      const start = performance.now();
      await run(messages);
      rates.get(name)?.push(rate(messages, performance.now() - start));
    }
  }
  return new Map(
    [...rates].map(([name, found]) => [name, found.sort((a, b) => a - b)[found.length >> 1] ?? 0]),
  );
}

async function fill(bare: Redis, messages: number): Promise<void> {
  for (let sent = 0; sent < messages; sent += 1000) {
    const pipeline = bare.pipeline();
    for (let left = Math.min(1000, messages - sent); left > 0; left--) {
      pipeline.xadd(STREAM, "*", "data", payload);
    }
    await pipeline.exec();
  }
}

function report(figures: ReadonlyMap<string, number>, reference: string, others: readonly string[]): void {
  const bare = figures.get(reference) ?? NaN;
  for (const name of others) {
    const ours = figures.get(name) ?? NaN;
    print(`${name}, messages/s`, ours, reference, bare, ratio(ours, bare));
  }
}
