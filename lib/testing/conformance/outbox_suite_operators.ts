/**
 * Rules of what operators see and do: counts, listings, requeueing, cleaning (OBX-4, OBX-5).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { BaseProvider } from "../../adapters/ports.ts";
import type { Rule } from "./provider_suite_rig.ts";
import { claimAll, inserts, leaseOf, names, published, settleAll } from "./outbox_suite_rig.ts";

export function outboxOperatorRules(rule: Rule): void {
  const abandon = (provider: BaseProvider) =>
    settleAll(provider, ({ id }) => ({ id, status: "abandoned", error: "no" }));

  rule("counts rows and tells the age of the oldest that waits", async ({ provider, commit, elapse }) => {
    assertEquals((await provider.outbox.stats()).oldest, undefined);
    await commit({ outbox: inserts("1", "m1") });
    const oldest = (await provider.outbox.stats()).oldest;
    await elapse(20);
    await commit({ outbox: inserts("1", "m2") });
    assert(oldest !== undefined);
    assertEquals(await provider.outbox.stats(), {
      counts: { pending: 2, processing: 0, published: 0, failed: 0, abandoned: 0 },
      oldest,
    });
    await settleAll(
      provider,
      (row) => row.messageId === "m1" ? published(row) : { id: row.id, status: "held" },
    );
    const left = await provider.outbox.stats();
    assert(left.oldest !== undefined && left.oldest > oldest);
    await abandon(provider);
    assertEquals((await provider.outbox.stats()).oldest, undefined);
  });

  rule("counts the rows of one broker that are not published", async ({ provider, commit, clock }) => {
    const none = { pending: 0, processing: 0, failed: 0, abandoned: 0 };
    assertEquals(await provider.outbox.backlog("default"), none);
    await commit({ outbox: inserts("1", "gone", "given-up") });
    await settleAll(
      provider,
      ({ id, messageId }) =>
        messageId === "gone" ? published({ id }) : { id, status: "abandoned", error: "no" },
    );
    await commit({ outbox: inserts("2", "failed") });
    const retryAt = clock.now() + 60_000;
    await settleAll(provider, ({ id }) => ({ id, status: "failed", error: "no", retryAt }));
    await commit({ outbox: inserts("3", "claimed") });
    await claimAll(provider);
    const elsewhere = inserts("4", "x1", "x2").map((row) => ({ ...row, targetBroker: "partner" }));
    await commit({ outbox: [...inserts("4", "m1", "m2", "m3"), ...elsewhere] });
    assertEquals(await provider.outbox.backlog("default"), {
      pending: 3,
      processing: 1,
      failed: 1,
      abandoned: 1,
    });
    assertEquals(await provider.outbox.backlog("partner"), { ...none, pending: 2 });
    assertEquals(await provider.outbox.backlog("nobody"), none);
  });

  rule("tells the first row that is due, and how long it has waited", async (rig) => {
    const { provider, commit, clock, elapse } = rig;
    const first = async () => {
      // What is known may be as old as a look was long, many times.
      await elapse(200);
      const due = await provider.outbox.oldestDue("default");
      const rows = await provider.outbox.list({ limit: 9 });
      return due && { name: rows.find(({ id }) => id === due.id)?.messageId, waitedMs: due.waitedMs };
    };
    assertEquals(await first(), undefined);
    const elsewhere = inserts("9", "x1").map((row) => ({ ...row, targetBroker: "partner" }));
    await commit({ outbox: [...elsewhere, ...inserts("1", "m1", "m2")] });
    await commit({ outbox: inserts("2", "n1") });
    // On a machine at work a look takes so long that what is known is older.
    let waiting = await first();
    for (let again = 0; waiting === undefined && again < 20; again++) waiting = await first();
    assertEquals(waiting?.name, "m1");
    assert(waiting !== undefined && waiting.waitedMs >= 199 && waiting.waitedMs < 60_000);
    const lease = await leaseOf(provider);
    const rows = await lease.claim(9);
    // In somebody's hands, and not published.
    assertEquals((await first())?.name, "m1");
    const retryAt = clock.now() + 600_000;
    await lease.settle(
      rows.map((row) =>
        row.messageId === "m1"
          ? { id: row.id, status: "failed", error: "no", retryAt }
          : { id: row.id, status: "held" }
      ),
    );
    // It waits for its time, and what is behind it for its turn.
    assertEquals((await first())?.name, "n1");
    await lease.settle((await lease.claim(9)).map(published));
    await lease.release();
    assertEquals(await first(), undefined);
    await provider.outbox.requeue();
    assertEquals((await first())?.name, "m1");
    await abandon(provider);
    assertEquals(await first(), undefined);
  });

  rule("lists rows in order, of one status or of all", async ({ provider, commit }) => {
    await commit({ outbox: inserts("1", "m1", "m2") });
    await abandon(provider);
    await commit({ outbox: inserts("2", "m3", "m4", "m5") });
    assertEquals(names(await provider.outbox.list({ limit: 9 })), ["m1", "m2", "m3", "m4", "m5"]);
    assertEquals(names(await provider.outbox.list({ limit: 2 })), ["m1", "m2"]);
    assertEquals(names(await provider.outbox.list({ status: "pending", limit: 2 })), ["m3", "m4"]);
    const [row] = await provider.outbox.list({ status: "abandoned", limit: 1 });
    assertEquals([row?.streamName, row?.type, row?.targetBroker], [
      "shop::order-1",
      "Shop.OrderPlaced.v1",
      "default",
    ]);
  });

  rule(
    "requeues abandoned rows by id, or all of them, with no attempt counted",
    async ({ provider, commit, clock }) => {
      await commit({ outbox: inserts("1", "m1", "m2", "m3") });
      await abandon(provider);
      const [first] = await provider.outbox.list({ limit: 1 });
      assertEquals(await provider.outbox.requeue([first?.id ?? "", "no such row", "99999999"]), 1);
      assertEquals((await claimAll(provider)).map((row) => [row.messageId, row.retryCount]), [["m1", 0]]);
      await settleAll(
        provider,
        ({ id }) => ({ id, status: "failed", error: "no", retryAt: clock.now() + 60_000 }),
      );
      assertEquals(await provider.outbox.requeue([]), 0);
      assertEquals(await provider.outbox.requeue(), 3);
      await settleAll(provider, published);
      assertEquals(await provider.outbox.requeue(), 0);
      assertEquals((await provider.outbox.stats()).counts.published, 3);
    },
  );

  rule("claims requeued rows in their old order", async ({ provider, commit }) => {
    await commit({ outbox: inserts("1", "m1", "m2") });
    await abandon(provider);
    await commit({ outbox: inserts("1", "m3") });
    await provider.outbox.requeue();
    assertEquals(names(await claimAll(provider)), ["m1", "m2", "m3"]);
  });

  rule("cleans what was published or abandoned long enough ago, some at a time", async (rig) => {
    const { provider, commit, clock, elapse } = rig;
    await commit({ outbox: inserts("1", "p1", "p2", "p3") });
    await settleAll(provider, published);
    await commit({ outbox: inserts("1", "a1", "a2") });
    await abandon(provider);
    await commit({ outbox: inserts("1", "waits") });
    await elapse(50);
    const [now, old] = [clock.now(), clock.now() - 3_600_000];
    const clean = (publishedBefore: number, abandonedBefore: number, limit: number) =>
      provider.outbox.clean({ publishedBefore, abandonedBefore, limit });
    assertEquals(await clean(old, old, 100), 0);
    assertEquals(await clean(now, old, 2), 2);
    assertEquals(await clean(now, old, 2), 1);
    assertEquals(await clean(old, now, 100), 2);
    assertEquals(await clean(now, now, 100), 0);
    assertEquals(names(await provider.outbox.list({ limit: 9 })), ["waits"]);
  });

  rule("takes a message again after its row was cleaned", async ({ provider, commit, clock, elapse }) => {
    await commit({ outbox: inserts("1", "m1") });
    await settleAll(provider, published);
    await elapse(50);
    await provider.outbox.clean({ publishedBefore: clock.now(), abandonedBefore: clock.now(), limit: 9 });
    await commit({ outbox: inserts("1", "m1") });
    assertEquals(names(await claimAll(provider)), ["m1"]);
  });
}
