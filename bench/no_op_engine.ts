/**
 * A no-op handler behind a stream subscription on Redis, with messages of 500 bytes and valid checksums: what
 * PERF-1 measures.
 *
 * @module
 */
import { Redis } from "ioredis";
import { z } from "zod";
import { Domain, Engine, on } from "../lib/mod.ts";
import { encodeEvent } from "../tests/support/encode_message.ts";
import { rate } from "./report.ts";

export const STREAM = "bench::item";
const PADDING = "x".repeat(460);

export class NoOpEngine {
  readonly redis: Redis;

  /** `messages`: how many there are in a run. */
  constructor(private readonly url: string, private readonly messages: number) {
    this.redis = new Redis(url, { maxRetriesPerRequest: null });
    this.redis.on("error", () => {});
  }

  /** The text of message `n`. */
  text(n: number): string {
    const id = `i${n % 1000}`;
    const data = { id, n, text: PADDING };
    return encodeEvent({ type: "Bench.Added.v1", category: STREAM, id, n, time: Date.now(), data });
  }

  async flush(): Promise<void> {
    await this.redis.flushall();
  }

  /** Empties the server, and puts all messages on the stream. */
  async fill(): Promise<void> {
    await this.flush();
    for (let at = 0; at < this.messages; at += 1000) {
      const pipeline = this.redis.pipeline();
      for (let n = at; n < Math.min(this.messages, at + 1000); n++) {
        pipeline.xadd(STREAM, "*", "data", this.text(n));
      }
      await pipeline.exec();
    }
  }

  /**
   * Handles all of them; returns messages a second, from the first start of the handler to the last. `more`:
   * further tables of the configuration.
   */
  async run(more: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {}): Promise<number> {
    const done = Promise.withResolvers<number>();
    let seen = 0;
    let began = 0;
    const domain = new Domain("bench");
    const schema = z.object({ id: z.string(), n: z.number(), text: z.string() });
    const Item = domain.aggregate("Item", { schema });
    const Added = domain.event("Added", { partOf: Item, schema });
    domain.eventHandler("NoOp", {
      partOf: Item,
      handles: [on(Added, () => {
        if (seen++ === 0) began = performance.now();
        if (seen === this.messages) done.resolve(performance.now() - began);
      })],
    });
    const stop = new AbortController();
    await domain.init({
      config: {
        databases: { default: { provider: "memory" } },
        event_store: { provider: "memory" },
        brokers: { default: { provider: "redis", URI: this.url } },
        caches: { default: { provider: "memory" } },
        ...more,
        server: {
          health: { enabled: false },
          stream_subscription: { blocking_timeout_ms: 1000 },
          ...more["server"],
        },
      },
    });
    const running = new Engine(domain).run({ signal: stop.signal });
    const ms = await done.promise;
    stop.abort();
    await running;
    return rate(this.messages, ms);
  }

  close(): void {
    this.redis.disconnect();
  }
}
