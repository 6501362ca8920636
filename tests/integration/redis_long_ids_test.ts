/** Streams whose ids are nanoseconds: no number holds them exactly (L8e). */
import { assertEquals } from "@std/assert";
import { systemClock } from "../../lib/async/clock.ts";
import { runOperation } from "../../lib/dlq/bulk.ts";
import { DeadLetterQueues } from "../../lib/dlq/queues.ts";
import { redisTest } from "../support/redis_server.ts";
import { ScriptedRunner } from "../support/subscription_rig.ts";
import { consumerOf, RedisRig, STREAM } from "./redis_rig.ts";

/** 2026 in nanoseconds; each is its neighbour to a number. */
const NS = 1_767_225_600_000_000_000n;
const ids = (count: number) => Array.from({ length: count }, (_, index) => `${NS + BigInt(index)}-0`);

redisTest(
  "entries with ids in nanoseconds are paged, claimed and kept until they were read (L8e)",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker();
    const client = rig.client();
    for (const id of ids(500)) await client.call("XADD", STREAM, id, "data", "{}");
    const [reader, other] = [await consumerOf(broker, "reader"), await consumerOf(broker, "other")];
    await reader.read({ count: 300 });

    let after: string | undefined;
    const found: string[] = [];
    for (let more = true; more;) {
      const page = await other.pending({ limit: 100, ...(after !== undefined && { after }) });
      found.push(...page.map(({ id }) => id));
      after = page.at(-1)?.id;
      more = page.length === 100;
    }
    assertEquals(found, ids(300));

    const claimed = await other.claim(found.slice(0, 250).map((id) => ({ id, from: "reader" })), 0);
    assertEquals(claimed.length, 250);
    await other.ack(claimed.map(({ id }) => id));
    // The next fifty are still to be handled; of what nobody needs, Redis drops whole nodes of a hundred.
    assertEquals(await other.trim(10), 200);
    assertEquals((await client.xrange(STREAM, "-", "+", "COUNT", 1))[0]?.[0], ids(201)[200]);
  },
);

redisTest(
  "dead letters with ids in nanoseconds are listed in order, page by page, and found (L8e)",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker();
    const client = rig.client();
    for (const id of ids(5)) await client.call("XADD", `${STREAM}:dlq`, id, "data", "{}");
    const queues = new DeadLetterQueues(broker, [new ScriptedRunner()]);
    const first = await queues.list({ limit: 2 });
    const rest = await queues.list({ cursor: first.cursor });
    assertEquals([...first.entries, ...rest.entries].map(({ id }) => id), ids(5).reverse());
    assertEquals((await queues.find(`${NS + 3n}-0`, {})).id, `${NS + 3n}-0`);
    assertEquals(await broker.deadLetters.oldest(`${STREAM}:dlq`), Number(NS));
    assertEquals(
      (await runOperation(queues, "purge", { handler: "OrderEventHandler" }, {}, systemClock)).done,
      0,
    );
  },
);
