/**
 * A read that is delayed on its way to the server, and not lost, delivers nothing behind our back (D18).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { GroupOptions, StreamGroup } from "../../lib/adapters/ports.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { StreamSubscription } from "../../lib/subscription/stream_subscription.ts";
import { redisTest } from "../support/redis_server.ts";
import { CATEGORY, eventText, ScriptedRunner, settings } from "../support/subscription_rig.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { IMPATIENT, RedisRig, until } from "./redis_rig.ts";

/** Lets a test act right after a subscription has looked at what is pending on its own consumer. */
class WatchedBroker extends RedisBroker {
  looked: () => Promise<void> = () => Promise.resolve();

  override group(options: GroupOptions): StreamGroup {
    const group = super.group(options);
    const pending = group.pending.bind(group);
    group.pending = async (page) => {
      const found = await pending(page);
      if (page.consumer !== undefined) await this.looked();
      return found;
    };
    return group;
  }
}

redisTest(
  "a read that arrives when its connection was given up takes no message out of its order",
  async () => {
    await using rig = await RedisRig.open();
    await using proxy = TcpProxy.start(rig.server.port);
    const writer = await rig.broker();
    const client = rig.client();
    const broker = new WatchedBroker({
      name: "default",
      domain: "shop",
      settings: { URI: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT },
      folder: Deno.cwd(),
      clock: systemClock,
    });
    await broker.open();
    const runner = new ScriptedRunner();
    const subscription = new StreamSubscription({
      runner,
      category: CATEGORY,
      broker,
      // The pause between two reads is when the proxy is told to keep the next one.
      settings: { ...settings, blockingTimeoutMs: 100, tickIntervalSeconds: 1 },
      consumer: "OrderEventHandler-host-1-aaaaaa",
      clock: systemClock,
    });
    const publish = async (n: number) =>
      void await writer.publish([{ stream: CATEGORY, data: eventText("a", n) }]);
    const observer = writer.group({ stream: CATEGORY, group: runner.group, consumer: "observer" });
    const pending = async () => (await observer.pending({ limit: 9 })).length;
    const open = async () =>
      [...String(await client.client("LIST")).matchAll(/^id=(\d+) .* name=protean\S* /gm)].map(([, id]) =>
        id
      );
    await publish(1);
    const others = await open();
    await subscription.start();
    try {
      await until(async () => runner.log === "a1" && await pending() === 0, "the first message is handled");
      const before = (await open()).filter((id) => !others.includes(id));
      proxy.hold();
      let looks = 0;
      broker.looked = async () => {
        if (looks++ > 0) return;
        await publish(2);
        proxy.letGo();
        // It has arrived, or there is no connection any more on which it could.
        await until(
          async () => await pending() > 0 || (await open()).every((id) => !before.includes(id)),
          "what was on its way has arrived",
        );
        await publish(3);
      };
      await until(() => runner.calls.length === 3, "all three are handled", 20_000);
      assertEquals([runner.log, looks > 0], ["a1 a2 a3", true]);
    } finally {
      await subscription.stop();
      await broker.close();
    }
  },
);
