/**
 * Brokers on one redis-server, in real time.
 *
 * @module
 */
import type { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { instances } from "./opened.ts";
import type { RedisServer } from "./redis_server.ts";

/** `settings` are added to the brokers' section; `close` leaves the server as it is. */
export async function redisBrokers(
  server: RedisServer,
  Broker: typeof RedisBroker,
  settings: Readonly<Record<string, unknown>> = {},
) {
  const { first, ...rest } = await instances(() =>
    new Broker({
      name: "default",
      domain: "shop",
      settings: { URI: server.uri, ...settings },
      folder: Deno.cwd(),
      clock: systemClock,
    })
  );
  return {
    ...rest,
    broker: first,
    elapse: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  };
}
