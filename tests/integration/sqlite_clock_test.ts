/**
 * Several processes on one SQLite file while the machine's wall clock is set (D25): the living keep what is
 * theirs, one that stands still loses it after as long as ever, and a dead one at once.
 */
import { assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { SqliteProvider } from "../../lib/adapters/sqlite/provider.ts";
import { idsOf } from "../../lib/testing/conformance/broker_suite_rig.ts";
import { outboxInsert, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";

const SECOND = 1_000;
const DAY = 86_400_000;
const JUMPS = [31 * SECOND, 61 * SECOND, 30 * DAY, -31 * SECOND, -30 * DAY];

/** A clock whose wall is set while its monotonic scale goes on. */
class SetClock extends FakeClock {
  offset = 0;

  override now(): number {
    return super.now() + this.offset;
  }
}

interface Rig {
  readonly folder: string;
  readonly clock: SetClock;
  open(kind: "broker"): Promise<SqliteBroker>;
  open(kind: "provider"): Promise<SqliteProvider>;
  /** Another process, once it has said its first line; `kill` ends it. */
  child(script: string, ...args: string[]): Promise<{ kill(): Promise<void> }>;
}

async function withRig(prove: (rig: Rig) => Promise<void>): Promise<void> {
  await using ends = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  ends.defer(() => Deno.remove(folder, { recursive: true }));
  const clock = new SetClock(Date.now());
  const open = async (kind: "broker" | "provider") => {
    const options = { name: "default", domain: "shop", folder, clock };
    const adapter = kind === "broker"
      ? new SqliteBroker({ ...options, settings: { URI: "sqlite:///streams.db" } })
      : new SqliteProvider({ ...options, settings: {} });
    await adapter.open();
    ends.defer(() => adapter.close());
    if (adapter instanceof SqliteProvider) await adapter.setup("own", []);
    return adapter;
  };
  const child = async (script: string, ...args: string[]) => {
    const path = join(dirname(new URL(import.meta.url).pathname), "../conformance", script);
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", path, ...args],
      stdin: "piped",
      stdout: "piped",
    });
    const process = command.spawn();
    const reader = process.stdout.getReader();
    let alive = true;
    const kill = async () => {
      if (!alive) return;
      alive = false;
      process.kill("SIGKILL");
      await process.status;
      await reader.cancel();
      await process.stdin.close().catch(() => {});
    };
    ends.defer(kill);
    await reader.read();
    return { kill };
  };
  await prove({ folder, clock, child, open: open as Rig["open"] });
}

for (const jump of JUMPS) {
  const set = `the wall clock is set by ${jump / SECOND} s`;

  Deno.test(`what a living consumer has is not claimable when ${set}, until it is silent for long`, () =>
    withRig(async ({ folder, clock, child, open }) => {
      const broker = await open("broker");
      const a = broker.group({ stream: "orders", group: "g1", consumer: "a" });
      await a.ensure();
      const ids = idsOf(await broker.publish(["1", "2"].map((data) => ({ stream: "orders", data }))));
      const theirs = ids.map((id) => ({ id, from: "child" }));
      await child("sqlite_broker_child.ts", folder, "hold");
      await clock.advance(10 * SECOND);
      const claimable = async () => [
        (await a.pending({ limit: 9, minIdleMs: 30 * SECOND })).length,
        (await a.claim(theirs.slice(0, 1), 30 * SECOND)).length,
        (await a.sweep(30 * SECOND)).length,
      ];
      assertEquals(await claimable(), [0, 0, 0]);
      clock.offset = jump;
      assertEquals(await claimable(), [0, 0, 0]);
      await clock.advance(30 * SECOND - 1);
      assertEquals(await claimable(), [0, 0, 0]);
      // Nothing was heard of it since: it stands still. A small step back may hide that for as long again.
      await clock.advance(jump < 0 && jump > -60 * SECOND ? 30 * SECOND : 1);
      assertEquals(await claimable(), [2, 1, 0]);
    }));

  Deno.test(`what a process leaves that is killed after ${set} is free at once`, () =>
    withRig(async ({ folder, clock, child, open }) => {
      const broker = await open("broker");
      const a = broker.group({ stream: "orders", group: "g1", consumer: "a" });
      await a.ensure();
      await broker.publish([{ stream: "orders", data: "1" }]);
      const { kill } = await child("sqlite_broker_child.ts", folder, "hold");
      clock.offset = jump;
      await kill();
      assertEquals((await a.pending({ limit: 9, minIdleMs: 30 * SECOND })).length, 1);
    }));

  Deno.test(`a lock and the shards of a living process are nobody else's when ${set}`, () =>
    withRig(async ({ folder, clock, child, open }) => {
      const provider = await open("provider");
      const mine = await provider.lock("mine");
      const lease = await provider.outbox.lease({ broker: "default", owner: "me" });
      await child("lock_child.ts", "provider", folder, "theirs");
      using db = new DatabaseSync(join(folder, "shop.db"));
      // The process that holds the lock has half of the shards.
      db.exec(`UPDATE protean_outbox_lease SET (holder, pid, started_at) =
        (SELECT 'theirs', pid, started_at FROM protean_lock WHERE name = 'theirs') WHERE shard IN (0, 1, 2, 3, 4, 5, 6, 7)`);
      db.exec(
        `INSERT INTO protean_outbox_lease SELECT target_broker, 17, holder, pid, started_at, refreshed_at
        FROM protean_outbox_lease WHERE shard = 0`,
      );
      const others = async () => {
        await lease.settle([]);
        await lease.share();
        return [lease.shards.length, await provider.lock("theirs")];
      };
      assertEquals(await others(), [8, undefined]);
      clock.offset = jump;
      assertEquals(await others(), [8, undefined]);
      lease.assertHeld();
      assertEquals(mine?.signal.aborted, false);
      await clock.advance(50 * SECOND);
      assertEquals(await others(), [8, undefined]);
      await clock.advance(jump === -31 * SECOND ? 45 * SECOND : 11 * SECOND);
      // Neither was heard of since: it stands still, and this process has beaten all the time.
      assertEquals([lease.shards.length, mine?.signal.aborted], [8, false]);
      await lease.share();
      assertEquals(lease.shards.length, 16);
      await using taken = await provider.lock("theirs");
      assertEquals(taken?.name, "theirs");
      await lease.release();
      await mine?.[Symbol.asyncDispose]();
    }));
}

Deno.test("a row that waits for its retry does not wait for a month when the clock is set back by one", () =>
  withRig(async ({ clock, open }) => {
    const provider = await open("provider");
    const outbox = ["m1", "m2"].map((messageId) => outboxInsert("shop::order-1", { messageId }));
    await provider.session().commit(writeSet({ outbox }));
    const lease = await provider.outbox.lease({ broker: "default", owner: "me" });
    const claimed = async () => (await lease.claim(9)).map(({ id, messageId }) => ({ id, messageId }));
    const [first, second] = await claimed();
    const retryAt = clock.now() + 60 * SECOND;
    await lease.settle([
      { id: first?.id ?? "", status: "failed", error: "no", retryAt },
      { id: second?.id ?? "", status: "held" },
    ]);
    await clock.advance(SECOND);
    assertEquals(await claimed(), []);
    clock.offset = -30 * DAY;
    assertEquals((await claimed()).map(({ messageId }) => messageId), ["m1", "m2"]);
    await lease.settle([
      { id: first?.id ?? "", status: "failed", error: "no", retryAt: clock.now() + 60 * SECOND },
      { id: second?.id ?? "", status: "held" },
    ]);
    await clock.advance(SECOND);
    assertEquals(await claimed(), [], "and then it waits as ever");
    await lease.release();
  }));

Deno.test("what the living have is not claimable when nobody could write for longer than the threshold", () =>
  withRig(async ({ folder, clock, child, open }) => {
    const broker = await open("broker");
    const a = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    await a.ensure();
    const ids = idsOf(await broker.publish([{ stream: "orders", data: "1" }]));
    await child("sqlite_broker_child.ts", folder, "hold");
    await clock.advance(10 * SECOND);
    using db = new DatabaseSync(join(folder, "streams.db"));
    db.exec("BEGIN IMMEDIATE");
    const never = new AbortController().signal;
    for (let second = 0; second < 45; second++) {
      await broker.ping(never).catch(() => {});
      await clock.advance(SECOND);
    }
    db.exec("ROLLBACK");
    const theirs = ids.map((id) => ({ id, from: "child" }));
    assertEquals(await a.claim(theirs, 30 * SECOND), []);
    await clock.advance(30 * SECOND);
    assertEquals((await a.claim(theirs, 30 * SECOND)).length, 1);
  }));

Deno.test("a living process whose sign of life somebody has removed is not robbed", () =>
  withRig(async ({ folder, clock, child, open }) => {
    const broker = await open("broker");
    const a = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    await a.ensure();
    await broker.publish([{ stream: "orders", data: "1" }]);
    const { kill } = await child("sqlite_broker_child.ts", folder, "hold");
    await clock.advance(10 * SECOND);
    for (const { name } of Deno.readDirSync(folder)) {
      if (name.includes("-alive-")) await Deno.remove(join(folder, name));
    }
    const claimable = () => a.pending({ limit: 9, minIdleMs: 30 * SECOND });
    assertEquals(await claimable(), []);
    await kill();
    // Nobody can say that it is dead now, so it is taken over as one that stands still.
    assertEquals(await claimable(), []);
    await clock.advance(30 * SECOND);
    assertEquals((await claimable()).length, 1);
  }));
