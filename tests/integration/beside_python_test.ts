/** What a team is told that runs a Python domain beside this one (interop). */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Domain, on } from "@protean/server";
import { z } from "zod";
import { systemClock } from "../../lib/async/clock.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { preflight } from "../../lib/engine/preflight.ts";
import { startFindings } from "../../lib/check/at_start.ts";
import { engineReadiness } from "../../lib/health/bodies.ts";
import { subscriptionSource } from "../../lib/health/subscription_source.ts";
import { logged } from "../support/logged.ts";
import { PythonPartitionOwner } from "../support/python_partition_owner.ts";
import { redisTest } from "../support/redis_server.ts";
import { settings } from "../support/subscription_rig.ts";
import { inMemory } from "../unit/domain/fixture.ts";
import { RedisRig } from "./redis_rig.ts";

function desk(consumerGroup?: string) {
  const domain = new Domain("desk");
  const schema = z.object({ id: z.string() });
  const Ticket = domain.aggregate("Ticket", { schema });
  const Other = domain.aggregate("Other", { schema });
  const Opened = domain.event("Opened", { partOf: Ticket, schema });
  domain.event("Tagged", { partOf: Ticket, schema });
  domain.event("Elsewhere", { partOf: Other, schema });
  domain.command("Open", { partOf: Ticket, schema });
  domain.eventHandler("Events", {
    partOf: Ticket,
    ...(consumerGroup !== undefined && { consumerGroup }),
    handles: [on(Opened, () => {})],
  });
  return domain;
}

const CATEGORY = "desk::ticket";

redisTest(
  "partitioned-category: what Python has parted is in the figures of /readyz, and is no fault",
  async () => {
    await using rig = await RedisRig.open();
    const domain = desk();
    await domain.init({
      config: inMemory({ brokers: { default: { provider: "redis", URI: rig.server.uri } } }),
    });
    const broker = await rig.broker();
    const rows = async () =>
      await subscriptionSource(runtimeOf(domain)).collect(new AbortController().signal);
    try {
      for (const key of ["a", "b"]) {
        await new PythonPartitionOwner(rig.client(), CATEGORY, "desk.Other", key).publish("{}", "{}");
      }
      const told = await logged(async () =>
        void await preflight({
          ...{ check: () => Promise.resolve([]), providers: [], tables: new Map(), required: false },
          ...{ streams: [{ broker, category: CATEGORY }], clock: systemClock },
        })
      );
      assertEquals(told, []);
      await broker.group({ stream: CATEGORY, group: "desk.Events", consumer: "one" }).ensure();
      const details = await rows();
      const row = details.find(({ handler_name }) => handler_name === "Events");
      assertEquals([row?.lag, row?.pending, row?.status, row?.warning], [4, 0, "lagging", undefined]);
      const block = { total: details.length, details };
      const { status } = engineReadiness({ shuttingDown: false, components: [], subscriptions: block });
      assertEquals(status, 200);
    } finally {
      await domain.close();
    }
  },
);

Deno.test("unknown-types-stall: types of ours on a category that a shared group reads are named at the start", async () => {
  for (const [group, expected] of [["shop.handlers.Tickets", 1], [undefined, 0]] as const) {
    const domain = desk(group);
    await domain.init({ config: inMemory() });
    const runtime = runtimeOf(domain);
    const planned = runtime.runners.flatMap((runner) =>
      runner.categories.map((category) => ({ runner, category, settings }))
    );
    const found = [...startFindings(runtime, planned)].filter(({ code }) =>
      code === "CONFIG_SHARED_CATEGORY"
    );
    assertEquals(found.length, expected);
    for (const { level, message } of found) {
      assertEquals(level, "warning");
      assertStringIncludes(message, `shares the group '${group}' on '${CATEGORY}'`);
      assertStringIncludes(message, "publishes Desk.Opened.v1, Desk.Tagged.v1:");
    }
    await domain.close();
  }
});
