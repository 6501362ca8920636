/**
 * Rules of leases that are kept: how they share the shards (delivery 9, OBX-1).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { BaseProvider, OutboxLease } from "../../adapters/ports.ts";
import { type Rule, soon } from "./provider_suite_rig.ts";
import { inserts, leaseOf, names, published } from "./outbox_suite_rig.ts";

export function outboxStandingRules(rule: Rule): void {
  const stand = (provider: BaseProvider, broker = "default") => leaseOf(provider, { broker, owner: "w1" });
  const counts = (leases: readonly OutboxLease[]) => leases.map(({ shards }) => shards.length);

  rule("gives a lease before anything is due, and it claims what comes", async (rig) => {
    const { provider, other, commit } = rig;
    const lease = await stand(provider);
    assertEquals(lease.shards.length, 16);
    assertEquals(await lease.claim(9), []);
    await commit({ outbox: [...inserts("1", "m1"), ...inserts("2", "n1")] });
    const idle = await stand(other);
    assertEquals([idle.shards, await idle.claim(9)], [[], []]);
    await idle.release();
    const rows = await lease.claim(9);
    assertEquals(names(rows), ["m1", "n1"]);
    await lease.settle(rows.map(published));
    await lease.settle([]);
    await lease.release();
    assertEquals((await provider.outbox.stats()).counts.published, 2);
  });

  rule("gives every lease an even share, from the next sharing on", async ({ provider, other }) => {
    const leases = [await stand(provider), await stand(other)];
    assertEquals(counts(leases), [16, 0]);
    for (const lease of leases) await lease.share();
    assertEquals(counts(leases), [8, 8]);
    leases.push(await stand(provider));
    for (const lease of leases) await lease.share();
    assertEquals(counts(leases), [6, 6, 4]);
    assertEquals(new Set(leases.flatMap(({ shards }) => shards)).size, 16);
    await leases.shift()?.release();
    for (const lease of leases) await lease.share();
    assertEquals(counts(leases), [8, 8]);
    await leases.shift()?.release();
    for (const lease of leases) await lease.share();
    assertEquals(counts(leases), [16]);
    for (const lease of leases) await lease.release();
  });

  rule("does not count leases on another broker's rows", async ({ provider, other }) => {
    const elsewhere = await stand(other, "a");
    const lease = await stand(provider);
    await lease.share();
    assertEquals(counts([elsewhere, lease]), [16, 16]);
    await lease.release();
    await elsewhere.release();
  });

  rule(
    "tells when the next failed row of a lease's own shards falls due, once it was not due",
    async (rig) => {
      const { provider, commit, clock, elapse } = rig;
      await commit({ outbox: [...inserts("1", "m1"), ...inserts("2", "n1")] });
      const lease = await stand(provider);
      assertEquals(await lease.nextDue(), undefined);
      const rows = await lease.claim(9);
      const [soonest, later] = [clock.now() + 100, clock.now() + 60_000];
      await lease.settle(rows.map(({ id, messageId }) => {
        return { id, status: "failed", error: "no", retryAt: messageId === "m1" ? soonest : later };
      }));
      assertEquals(await lease.nextDue(), soonest);
      await elapse(150);
      assertEquals(names(await lease.claim(9)), ["m1"]);
      assertEquals(await lease.nextDue(), later);
      await lease.release();
      assertEquals(await lease.nextDue(), undefined);
    },
  );

  rule("keeps each stream in order through leases that come, share and go", async (rig) => {
    const { provider, other, commit } = rig;
    const total = 400;
    const sent: string[] = [];
    const produce = async () => {
      for (let n = 0; n < total; n += 10) {
        const rows = Array.from({ length: 10 }, (_, index) => {
          const stream = (n + index) % 23;
          return inserts(String(stream), `${stream}/${String(n + index).padStart(4, "0")}`);
        });
        await commit({ outbox: rows.flat() }, n % 20 ? provider : other);
      }
    };
    const work = async (at: BaseProvider, turns: number) => {
      while (sent.length < total) {
        const lease = await stand(at);
        for (let turn = 0; turn < turns && sent.length < total; turn++) {
          const rows = await lease.claim(7);
          sent.push(...names(rows));
          await lease.settle(rows.map(published));
          await lease.share();
        }
        await lease.release();
      }
    };
    await soon(
      Promise.all([produce(), work(provider, Infinity), work(other, 20), work(provider, 9)]),
      "Publishing everything",
    );
    assertEquals([sent.length, new Set(sent).size], [total, total]);
    const last = new Map<string, string>();
    for (const id of sent) {
      const stream = id.slice(0, id.indexOf("/"));
      assert((last.get(stream) ?? "") < id, `${id} came after ${last.get(stream)}`);
      last.set(stream, id);
    }
  });
}
