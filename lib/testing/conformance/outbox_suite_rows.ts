/**
 * Rules of how rows come in, and how they are claimed and marked.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { orderOf, shardOf } from "../../adapters/ports.ts";
import { metadataOf, outboxInsert, type Rule, soon, writeSet } from "./provider_suite_rig.ts";
import { claimAll, inserts, leaseOf, names, published, settleAll } from "./outbox_suite_rig.ts";

export function outboxRowRules(rule: Rule): void {
  rule("hands a row over exactly as it was written", async ({ provider, commit, clock }) => {
    const data = '{"float":10.0,"small":1e-05,"text":"\\u00e4 \\ud83d\\ude00","big":12345678901234567890}';
    const stream = "shop::order-it's-1";
    const metadata = metadataOf(stream, { id: "m1" });
    const given = { messageId: "m1", data, metadata: JSON.stringify(metadata), priority: -5 };
    await commit({ outbox: [outboxInsert(stream, given)] });
    const [row] = await claimAll(provider);
    assertEquals({ ...row, id: "", createdAt: 0, metadata: JSON.parse(row?.metadata ?? "null") }, {
      id: "",
      messageId: "m1",
      streamName: stream,
      type: "Shop.OrderPlaced.v1",
      data,
      metadata,
      priority: -5,
      retryCount: 0,
      createdAt: 0,
    });
    assertEquals(Math.abs((row?.createdAt ?? 0) - clock.now()) < 60_000, true);
  });

  rule("keeps the key of a row, and the order of a key's rows of several streams", async (rig) => {
    const { provider, commit } = rig;
    const keyed = ["1", "2", "1", "3"].map((id, index) => {
      const stream = `shop::order-${id}`;
      return outboxInsert(stream, {
        messageId: `m${index}`,
        partitionKey: "it's ann",
        shard: shardOf(orderOf(stream, "it's ann")),
      });
    });
    await commit({ outbox: [...keyed, ...inserts("9", "whole")] });
    const lease = await leaseOf(provider);
    const rows = await lease.claim(10);
    assertEquals(
      rows.filter(({ partitionKey }) => partitionKey !== undefined).map((
        row,
      ) => [row.messageId, row.partitionKey]),
      [0, 1, 2, 3].map((index) => [`m${index}`, "it's ann"]),
    );
    assertEquals(rows.find(({ messageId }) => messageId === "whole")?.partitionKey, undefined);
    lease.assertHeld();
    await lease.settle(rows.map(published));
    await lease.release();
  });

  rule("holds a row for every target broker, and the same one once (S53)", async ({ provider, commit }) => {
    const targets = ["default", "a", "b"];
    const rows = targets.map((targetBroker) =>
      outboxInsert("shop::order-1", { messageId: "m1", targetBroker })
    );
    await commit({ outbox: rows });
    await commit({ outbox: [...rows, outboxInsert("shop::order-1", { messageId: "m2" })] });
    const listed = await provider.outbox.list({ limit: 99 });
    assertEquals(listed.map((row) => `${row.messageId} ${row.targetBroker}`).sort(), [
      "m1 a",
      "m1 b",
      "m1 default",
      "m2 default",
    ]);
    assertEquals(names(await claimAll(provider, "a")), ["m1"]);
    assertEquals(names(await claimAll(provider, "default")), ["m1", "m2"]);
  });

  rule("tells which messages have a row for a broker, whatever became of it (S58)", async (fixture) => {
    const { provider, commit } = fixture;
    const odd = "it's \"m{2},\\";
    await commit({ outbox: [...inserts("1", "m1"), ...inserts("1", odd)] });
    const lease = await leaseOf(provider);
    const [first] = await lease.claim(1);
    if (first) await lease.settle([published(first)]);
    await lease.release();
    const present = async (ids: readonly string[], broker: string) =>
      [...await provider.outbox.present?.(ids, broker) ?? []].sort();
    assertEquals(await present(["m0", "m1", odd], "default"), [odd, "m1"].sort());
    assertEquals(await present(["m1"], "a"), []);
    assertEquals(await present([], "default"), []);
  });

  rule("claims in the order of the commits, at most as many as asked", async ({ provider, commit }) => {
    const ids = Array.from({ length: 60 }, (_, index) => `m${index}`);
    for (const id of ids.slice(0, 30)) await commit({ outbox: inserts(`${Number(id.slice(1)) % 7}`, id) });
    await commit({ outbox: ids.slice(30).flatMap((id) => inserts(`${Number(id.slice(1)) % 7}`, id)) });
    const lease = await leaseOf(provider);
    const claimed: string[] = [];
    for (let rows = await lease.claim(25); rows.length > 0; rows = await lease.claim(25)) {
      assertEquals(rows.length <= 25, true);
      claimed.push(...names(rows));
    }
    assertEquals(claimed, ids);
    await lease.release();
  });

  rule("does not order by priority within a stream", async ({ provider, commit }) => {
    const row = (messageId: string, priority: number) =>
      outboxInsert("shop::order-1", { messageId, priority });
    await commit({ outbox: [row("m1", 0), row("m2", 100), row("m3", -1)] });
    assertEquals(names(await claimAll(provider)), ["m1", "m2", "m3"]);
  });

  rule("marks claimed rows processing and published ones published (S54)", async ({ provider, commit }) => {
    await commit({ outbox: inserts("1", "m1", "m2") });
    const lease = await leaseOf(provider);
    const rows = await lease.claim(99);
    assertEquals((await provider.outbox.stats()).counts.processing, 2);
    assertEquals(await lease.claim(99), []);
    await lease.settle(rows.map(published));
    assertEquals((await provider.outbox.stats()).counts, {
      pending: 0,
      processing: 0,
      published: 2,
      failed: 0,
      abandoned: 0,
    });
    assertEquals(await lease.claim(99), []);
    await lease.release();
    assertEquals(await claimAll(provider), []);
  });

  rule("claims rows that were committed after the lease was taken", async ({ provider, commit }) => {
    await commit({ outbox: inserts("1", "m1") });
    const lease = await leaseOf(provider);
    assertEquals(names(await lease.claim(99)), ["m1"]);
    await commit({ outbox: inserts("1", "m2") });
    assertEquals(names(await lease.claim(99)), ["m2"]);
    await lease.release();
  });

  rule("finds a row that was committed late (OBX-6)", async ({ provider, commit }) => {
    const late = provider.session();
    await late.flush(writeSet({ outbox: inserts("1", "late") }));
    const early = commit({ outbox: inserts("2", "early") });
    if (!provider.capabilities.embedded) {
      await soon(early, "The commit beside one that is under way");
      await settleAll(provider, published);
    }
    await late.commit(writeSet({}));
    await early;
    const rest = provider.capabilities.embedded ? ["early", "late"] : ["late"];
    assertEquals(names(await claimAll(provider)).sort(), rest);
  });

  rule("wakes its watchers after a commit with rows, until they stop", async ({ provider, commit }) => {
    let woken = Promise.withResolvers<void>();
    const unwatch = provider.outbox.watch(() => woken.resolve());
    let others = 0;
    const unwatchOther = provider.outbox.watch(() => others++);
    for (let round = 0; round < 3; round++) {
      woken = Promise.withResolvers();
      await commit({ outbox: inserts("1", `m${round}`) });
      await soon(woken.promise, "The wake-up");
    }
    unwatchOther();
    unwatchOther();
    const before = others;
    woken = Promise.withResolvers();
    await commit({ outbox: inserts("1", "last") });
    await soon(woken.promise, "The wake-up");
    assertEquals(others, before);
    unwatch();
  });

  rule("keeps rows that were rolled back out", async ({ provider }) => {
    const session = provider.session();
    await session.flush(writeSet({ outbox: inserts("1", "m1") }));
    await session.rollback();
    assertEquals(await claimAll(provider), []);
    assertEquals((await provider.outbox.stats()).oldest, undefined);
  });
}
