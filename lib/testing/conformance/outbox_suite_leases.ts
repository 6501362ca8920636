/**
 * Rules of shards and who holds them (delivery 9, OBX-1).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { BaseProvider, OutboxRow } from "../../adapters/ports.ts";
import { outboxInsert, type ProviderRig, type Rule, soon } from "./provider_suite_rig.ts";
import { inserts, leaseOf, names, published } from "./outbox_suite_rig.ts";

export function outboxLeaseRules(rule: Rule): void {
  const lease = (provider: BaseProvider, broker = "default") =>
    provider.outbox.lease({ broker, owner: "w2" });

  rule("lets one holder at a time have a shard", async ({ provider, other, commit }) => {
    await commit({ outbox: inserts("1", "m1") });
    const first = await leaseOf(provider);
    assertEquals(first.shards.length, 16);
    const second = await lease(other);
    assertEquals([second.shards, await second.claim(9)], [[], []]);
    await commit({ outbox: inserts("1", "m2") });
    assertEquals(await second.claim(9), []);
    await first.release();
    await first.release();
    await second.share();
    assertEquals(second.shards.length, 16);
    assertEquals(names(await second.claim(9)), ["m1", "m2"]);
    await second.release();
  });

  rule("hands over at once what an earlier holder left unsettled", async ({ provider, other, commit }) => {
    await commit({ outbox: inserts("1", "m1", "m2", "m3") });
    const first = await leaseOf(provider);
    assertEquals(names(await first.claim(2)), ["m1", "m2"]);
    await first.release();
    assertEquals(await first.claim(9), []);
    const second = await leaseOf(other);
    assertEquals(names(await second.claim(9)), ["m1", "m2", "m3"]);
    await second.release();
  });

  rule(
    "does not let a former holder mark rows that another has retaken",
    async ({ provider, other, commit }) => {
      await commit({ outbox: inserts("1", "m1") });
      const first = await leaseOf(provider);
      const rows = await first.claim(9);
      await first.release();
      const second = await leaseOf(other);
      const again = await second.claim(9);
      await first.settle(rows.map(published));
      assertEquals((await provider.outbox.stats()).counts.processing, 1);
      await second.settle(again.map(published));
      assertEquals((await provider.outbox.stats()).counts.published, 1);
      await second.release();
    },
  );

  rule("shares shards out among holders", async ({ provider, other, commit }) => {
    const streams = Array.from({ length: 64 }, (_, index) => String(index));
    await commit({ outbox: streams.flatMap((stream) => inserts(stream, `m${stream}`)) });
    const first = await leaseOf(provider);
    const second = await leaseOf(other, { owner: "w2" });
    for (const each of [first, second]) await each.share();
    assertEquals(first.shards.length, 8);
    assert(first.shards.every((shard) => !second.shards.includes(shard)));
    const claimed = [...await first.claim(99), ...await second.claim(99)];
    assertEquals(names(claimed).sort(), streams.map((stream) => `m${stream}`).sort());
    await first.release();
    await second.release();
  });

  rule("keeps the shards of brokers apart", async ({ provider, commit }) => {
    const targets = ["default", "a"];
    await commit({ outbox: targets.map((targetBroker) => outboxInsert("shop::order-1", { targetBroker })) });
    const leases = [await leaseOf(provider), await leaseOf(provider, { broker: "a" })];
    for (const each of leases) {
      assertEquals((await each.claim(9)).length, 1);
      await each.release();
    }
  });

  rule("publishes each row once, each stream in order, through three processors", async (rig) => {
    const { provider, other, commit } = rig;
    const sent: string[] = [];
    const produce = async () => {
      for (let batch = 0; batch < 40; batch++) {
        const rows = Array.from({ length: 10 }, (_, index) => {
          const stream = (batch * 10 + index) % 23;
          return inserts(String(stream), `${stream}/${String(batch * 10 + index).padStart(4, "0")}`);
        }).flat();
        await commit({ outbox: rows }, batch % 2 ? provider : other);
      }
    };
    const producing = produce();
    const processors = [provider, other, provider].map((each, index) =>
      publish(each, `w${index}`, sent, rig)
    );
    await soon(producing, "The last commit");
    while ((await provider.outbox.stats()).counts.published < 400) {
      await soon(Promise.all(processors.map(({ pass }) => pass())), "A pass of three processors");
    }
    assertEquals(sent.length, 400);
    assertEquals(new Set(sent).size, 400);
    const last = new Map<string, string>();
    for (const id of sent) {
      const stream = id.slice(0, id.indexOf("/"));
      assert((last.get(stream) ?? "") < id, `${id} came after ${last.get(stream)}`);
      last.set(stream, id);
    }
  });
}

/** A processor that fails every seventh attempt once, so that held rows come into play. */
function publish(provider: BaseProvider, owner: string, sent: string[], { clock }: ProviderRig) {
  let attempts = 0;
  const settle = (rows: readonly OutboxRow[]) => {
    const failed = new Set<string>();
    return rows.map((row) => {
      if (failed.has(row.streamName)) return { id: row.id, status: "held" } as const;
      if (++attempts % 7 === 0) {
        failed.add(row.streamName);
        return { id: row.id, status: "failed", error: "seventh", retryAt: clock.now() } as const;
      }
      sent.push(row.messageId);
      return published(row);
    });
  };
  return {
    pass: async () => {
      const lease = await provider.outbox.lease({ broker: "default", owner });
      for (let rows = await lease.claim(17); rows.length > 0; rows = await lease.claim(17)) {
        await lease.settle(settle(rows));
        await lease.share();
      }
      await lease.release();
    },
  };
}
