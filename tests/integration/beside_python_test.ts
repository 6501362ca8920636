/** What a team is told that runs a Python domain beside this one (interop). */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Domain, on } from "@protean/server";
import { z } from "zod";
import { systemClock } from "../../lib/async/clock.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { preflight } from "../../lib/engine/preflight.ts";
import { startDiagnostics } from "../../lib/engine/start_diagnostics.ts";
import { engineReadiness } from "../../lib/health/bodies.ts";
import { subscriptionSource } from "../../lib/health/subscription_source.ts";
import { logged } from "../support/logged.ts";
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

redisTest("partitioned-category: that nothing will arrive is said at the start and by /readyz", async () => {
  await using rig = await RedisRig.open();
  const domain = desk();
  await domain.init({
    config: inMemory({ brokers: { default: { provider: "redis", URI: rig.server.uri } } }),
  });
  const runtime = runtimeOf(domain);
  const broker = await rig.broker();
  const start = () =>
    logged(() =>
      preflight({
        ...{ check: () => Promise.resolve([]), providers: [], tables: new Map(), required: false },
        ...{ streams: [{ broker, category: CATEGORY }], clock: systemClock },
      })
    );
  const rows = async () => await subscriptionSource(runtime).collect(new AbortController().signal);
  const told = async () => (await rows()).flatMap(({ warning }) => warning ?? []);
  try {
    assertEquals(await start(), []);
    assertEquals(await told(), []);

    // As Python's outbox does, for handlers with sequential_by.
    const client = rig.client();
    await client.sadd(`${CATEGORY}:__partitions__`, "a", "b");
    await client.xadd(`${CATEGORY}:a`, "*", "data", "{}");

    const [record, ...others] = await start();
    assertEquals([record?.rawMessage, record?.level, others], ["engine.category_partitioned", "error", []]);
    assertStringIncludes(String(record?.properties["error"]), `'${CATEGORY}' is partitioned`);
    const [warning] = await told();
    assertStringIncludes(String(warning), "2 stream(s) of one key each, which this version does not read");
    const details = await rows();
    const block = { total: details.length, details };
    const { status, body } = engineReadiness({ shuttingDown: false, components: [], subscriptions: block });
    assertEquals(status, 200);
    assertStringIncludes(JSON.stringify(body), "is partitioned");
  } finally {
    await domain.close();
  }
});

Deno.test("unknown-types-stall: types of ours on a category that a shared group reads are named at the start", async () => {
  for (const [group, expected] of [["shop.handlers.Tickets", 1], [undefined, 0]] as const) {
    const domain = desk(group);
    await domain.init({ config: inMemory() });
    const runtime = runtimeOf(domain);
    const planned = runtime.runners.flatMap((runner) =>
      runner.categories.map((category) => ({ runner, category, settings }))
    );
    const found = [...startDiagnostics(runtime, planned)].filter(({ code }) =>
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
