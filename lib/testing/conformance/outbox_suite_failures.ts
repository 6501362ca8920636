/**
 * Rules of rows that could not be published (S55; wire 3.6; delivery 9).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { BaseProvider } from "../../adapters/ports.ts";
import type { Rule } from "./provider_suite_rig.ts";
import { claimAll, inserts, leaseOf, names, published, settleAll } from "./outbox_suite_rig.ts";

/** Until a retry: longer than what comes before it takes, on a machine that does other things too. */
const SOON_MS = 1_000;

export function outboxFailureRules(rule: Rule): void {
  const fail = async (provider: BaseProvider, messageId: string, retryAt: number) => {
    const lease = await leaseOf(provider);
    const rows = await lease.claim(10_000);
    await lease.settle(
      rows.map((row) =>
        row.messageId === messageId
          ? { id: row.id, status: "failed", error: "broker said no", retryAt }
          : { id: row.id, status: "held" }
      ),
    );
    await lease.release();
  };

  rule(
    "holds a failed row's stream back until it is due, and no other",
    async ({ provider, commit, clock, elapse }) => {
      await commit({ outbox: [...inserts("1", "m1", "m2"), ...inserts("2", "n1")] });
      const retryAt = clock.now() + SOON_MS;
      await fail(provider, "m1", retryAt);
      assertEquals((await provider.outbox.stats()).counts.failed, 1);
      await commit({ outbox: [...inserts("1", "m3"), ...inserts("2", "n2")] });
      const lease = await leaseOf(provider);
      const others = await lease.claim(99);
      assertEquals(names(others), ["n1", "n2"]);
      await lease.settle(others.map(published));
      assertEquals(await lease.nextDue(), retryAt);
      assertEquals(await lease.claim(99), []);
      await lease.release();
      await elapse(SOON_MS + 50);
      const due = await leaseOf(provider);
      const rows = await due.claim(99);
      assertEquals(rows.map((row) => `${row.messageId} ${row.retryCount}`), ["m1 1", "m2 0", "m3 0"]);
      await due.settle(rows.map(published));
      assertEquals(await due.nextDue(), undefined);
      await due.release();
    },
  );

  rule("counts no attempt of a row whose stream was refused, and holds it back all the same", async (rig) => {
    const { provider, commit, clock, elapse } = rig;
    await commit({ outbox: [...inserts("1", "m1", "m2"), ...inserts("2", "n1")] });
    const lease = await leaseOf(provider);
    const [first] = await lease.claim(1);
    const retryAt = clock.now() + SOON_MS;
    const refused = {
      id: first?.id ?? "",
      status: "failed",
      error: "not that stream",
      uncounted: true,
    } as const;
    await lease.settle([{ ...refused, retryAt }]);
    const others = await lease.claim(99);
    assertEquals(names(others), ["n1"]);
    await lease.settle(others.map(published));
    const [listed] = await provider.outbox.list({ status: "failed", limit: 9 });
    assertEquals([listed?.retryCount, listed?.lastError?.includes("not that stream")], [0, true]);
    await elapse(SOON_MS + 50);
    assertEquals((await lease.claim(99)).map((row) => `${row.messageId} ${row.retryCount}`), [
      "m1 0",
      "m2 0",
    ]);
    await lease.release();
  });

  rule("holds back within a lease too", async ({ provider, commit, clock }) => {
    await commit({ outbox: [...inserts("1", "m1", "m2"), ...inserts("2", "n1")] });
    const lease = await leaseOf(provider);
    const [first] = await lease.claim(1);
    await lease.settle([{
      id: first?.id ?? "",
      status: "failed",
      error: "no",
      retryAt: clock.now() + 60_000,
    }]);
    assertEquals(names(await lease.claim(99)), ["n1"]);
    await lease.release();
  });

  rule("counts attempts, not the rows that were held for them", async ({ provider, commit, clock }) => {
    await commit({ outbox: inserts("1", "m1", "m2") });
    for (let attempt = 0; attempt < 3; attempt++) await fail(provider, "m1", clock.now());
    const counts = (await provider.outbox.list({ limit: 9 })).map((
      row,
    ) => [row.messageId, row.status, row.retryCount]);
    assertEquals(counts, [["m1", "failed", 3], ["m2", "pending", 0]]);
    assertEquals(names(await claimAll(provider)), ["m1", "m2"]);
  });

  rule("gives a row up for good, and its stream goes on", async ({ provider, commit }) => {
    await commit({ outbox: inserts("1", "m1", "m2") });
    await settleAll(
      provider,
      ({ id, messageId }) =>
        messageId === "m1" ? { id, status: "abandoned", error: "too large" } : { id, status: "held" },
    );
    const [given] = await provider.outbox.list({ status: "abandoned", limit: 9 });
    assertEquals([given?.messageId, given?.retryCount, given?.lastError], ["m1", 1, "too large"]);
    await settleAll(provider, published);
    assertEquals((await provider.outbox.stats()).counts, {
      pending: 0,
      processing: 0,
      published: 1,
      failed: 0,
      abandoned: 1,
    });
    assertEquals(await claimAll(provider), []);
  });

  rule("forgets the error of a row that got through", async ({ provider, commit, clock }) => {
    await commit({ outbox: inserts("1", "m1") });
    await fail(provider, "m1", clock.now());
    assertEquals((await provider.outbox.list({ limit: 1 }))[0]?.lastError, "broker said no");
    await settleAll(provider, published);
    const [row] = await provider.outbox.list({ limit: 1 });
    assertEquals([row?.status, row?.lastError, row?.retryCount], ["published", undefined, 1]);
  });
}
