import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Outage } from "../../lib/adapters/redis/outage.ts";
import { ReconnectingConnection } from "../../lib/adapters/redis/reconnecting.ts";
import { readSettings } from "../../lib/adapters/redis/settings.ts";
import type { Clock } from "../../lib/async/clock.ts";
import { BrokerUnavailableError } from "../../lib/errors.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";

/** A clock whose timers are always late: time passes, and nothing is called. */
class LateClock implements Clock {
  time = 0;
  now = () => this.time;
  monotonic = () => this.time;
  after = () => () => {};
}

redisTest(
  "a caller that waited out an outage gets the connection that another has opened meanwhile",
  async () => {
    await using redis = await RedisServer.start();
    const clock = new LateClock();
    const settings = readSettings(
      { name: "default", domain: "shop", settings: { URI: redis.uri }, folder: "/", clock },
      "brokers",
      BrokerUnavailableError,
    );
    const outage = new Outage(settings.section, clock);
    const reconnecting = new ReconnectingConnection({ settings, clock, outage });
    try {
      outage.failed(new BrokerUnavailableError("It was away."), 0);
      const waiting = reconnecting.connection({ patienceMs: 60_000 });
      clock.time = 60_000;
      const first = await reconnecting.connection();
      assertStrictEquals(await waiting, first);
      assert(first.usable);
      assertEquals(await first.call((client) => client.ping()), "PONG");
    } finally {
      await reconnecting.close();
    }
  },
);
