import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { type Member, Pool, type PoolOptions } from "../../../../../lib/adapters/postgres/connection/pool.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";
import { PoolTimeoutError, ProviderUnavailableError } from "../../../../../lib/errors.ts";

/** A connection without a server. */
class FakeMember implements Member {
  lost = false;
  readonly #ended = Promise.withResolvers<void>();
  readonly ended = this.#ended.promise;

  constructor(readonly number: number, readonly openedAt: number) {}

  destroy(): void {
    this.lost = true;
    this.#ended.resolve();
  }

  close(): Promise<void> {
    this.destroy();
    return this.ended;
  }
}

/** A pool, its clock, and what it has opened. */
function poolOf(options: Partial<PoolOptions<FakeMember>> = {}) {
  const clock = new FakeClock();
  const opened: FakeMember[] = [];
  const pinged: number[] = [];
  const pool = new Pool<FakeMember>({
    name: "default",
    clock,
    size: 2,
    maxOverflow: 1,
    overflowIdleSeconds: 0,
    recycleSeconds: -1,
    timeoutSeconds: 30,
    prePing: true,
    random: () => 0,
    open: () => {
      const member = new FakeMember(opened.length, clock.monotonic());
      opened.push(member);
      return Promise.resolve(member);
    },
    ping: (member) => {
      pinged.push(member.number);
      return Promise.resolve();
    },
    ...options,
  });
  return { pool, clock, opened, pinged };
}

async function take(pool: Pool<FakeMember>, count: number): Promise<FakeMember[]> {
  const taken = await Promise.all(Array.from({ length: count }, () => pool.acquire()));
  return taken.map(({ member }) => member);
}

Deno.test("Pool opens nothing before the first checkout", () => {
  const { pool, opened } = poolOf();
  assertEquals([opened.length, pool.stats], [0, { size: 2, checkedOut: 0, overflow: 0, checkedIn: 0 }]);
});

Deno.test("Pool closes the overflow as it comes back with overflow_idle_seconds 0, as QueuePool", async () => {
  const { pool, opened } = poolOf();
  const members = await take(pool, 3);
  assertEquals(pool.stats, { size: 2, checkedOut: 3, overflow: 1, checkedIn: 0 });
  for (const member of members) pool.release(member);
  assertEquals(pool.stats, { size: 2, checkedOut: 0, overflow: 0, checkedIn: 2 });
  assertEquals(opened.map(({ lost }) => lost), [false, false, true]);
});

Deno.test("Pool closes the overflow when nobody has wanted it for overflow_idle_seconds", async () => {
  const { pool, opened, clock } = poolOf({ maxOverflow: 2, overflowIdleSeconds: 2 });
  const members = await take(pool, 4);
  for (const member of members.slice(0, 3)) pool.release(member);
  await clock.advance(1000);
  pool.release(members[3] as FakeMember);
  assertEquals(pool.stats, { size: 2, checkedOut: 0, overflow: 2, checkedIn: 4 });
  await clock.advance(999);
  assertEquals(opened.map(({ lost }) => lost), [false, false, false, false]);
  await clock.advance(1);
  assertEquals(opened.map(({ lost }) => lost), [false, false, true, false]);
  await clock.advance(1000);
  assertEquals(opened.map(({ lost }) => lost), [false, false, true, true]);
  assertEquals(pool.stats, { size: 2, checkedOut: 0, overflow: 0, checkedIn: 2 });
  assertEquals(clock.pending, 0);
});

Deno.test("Pool uses of its overflow what was used last, so that what is not needed grows old", async () => {
  const { pool, opened, clock } = poolOf({ maxOverflow: 2, overflowIdleSeconds: 2 });
  for (const member of await take(pool, 4)) pool.release(member);
  for (let round = 0; round < 5; round++) {
    await clock.advance(400);
    const members = await take(pool, 3);
    assertEquals(members.map(({ number }) => number), [0, 1, 3]);
    for (const member of members) pool.release(member);
  }
  assertEquals([opened.length, opened.map(({ lost }) => lost)], [4, [false, false, true, false]]);
  await pool.close();
  assertEquals([opened.every(({ lost }) => lost), clock.pending], [true, 0]);
});

Deno.test("Pool forgets an overflow connection that is lost while it waits to be wanted", async () => {
  const { pool, opened, clock } = poolOf({ overflowIdleSeconds: 2 });
  for (const member of await take(pool, 3)) pool.release(member);
  opened[2]?.destroy();
  await Promise.resolve();
  assertEquals(pool.stats, { size: 2, checkedOut: 0, overflow: 0, checkedIn: 2 });
  const members = await take(pool, 3);
  assertEquals(members.map(({ number }) => number), [0, 1, 3]);
  await clock.advance(2000);
  assertEquals(clock.pending, 0);
});

Deno.test("Pool hands idle connections out in turn", async () => {
  const { pool, opened } = poolOf();
  for (const member of await take(pool, 2)) pool.release(member);
  for (const expected of [0, 1, 0]) {
    const { member, reused } = await pool.acquire();
    assertEquals([member.number, reused], [expected, true]);
    pool.release(member);
  }
  assertEquals(opened.length, 2);
});

Deno.test("Pool serves those who wait first come, first served", async () => {
  const { pool, opened, clock } = poolOf();
  const members = await take(pool, 3);
  const order: string[] = [];
  const waiting = ["a", "b", "c"].map(async (name) => {
    const { member } = await pool.acquire();
    order.push(`${name}${member.number}`);
  });
  for (const member of members) pool.release(member);
  await Promise.all(waiting);
  assertEquals(order, ["a0", "b1", "c2"]);
  assertEquals([opened.length, clock.pending], [3, 0]);
});

Deno.test("Pool has those who name a turn take turns, and serves nobody's at every second one", async () => {
  const { pool, clock } = poolOf({ size: 1, maxOverflow: 0 });
  const [member] = await take(pool, 1);
  const [busy, other] = [{}, {}];
  const order: string[] = [];
  const waiting = ([["b1", busy], ["b2", busy], ["b3", busy], ["o1", other], ["x"]] as const).map(
    async ([name, turn]) => {
      const { member } = await pool.acquire(undefined, { turn });
      order.push(name);
      pool.release(member);
    },
  );
  pool.release(member as FakeMember);
  await Promise.all(waiting);
  assertEquals([order, clock.pending], [["x", "b1", "o1", "b2", "b3"], 0]);
});

Deno.test("Pool refuses nobody who waits for a turn while the line moves, and everybody once it stands still", async () => {
  const { pool, clock } = poolOf({ size: 1, maxOverflow: 0, timeoutSeconds: 1 });
  const [member] = await take(pool, 1);
  const turn = {};
  const waiting = Array.from({ length: 4 }, () => pool.acquire(undefined, { turn }));
  const outcomes = Promise.allSettled(waiting);
  await clock.advance(900);
  pool.release(member as FakeMember);
  for (const held of waiting.slice(0, 2)) {
    await clock.advance(900);
    pool.release((await held).member);
  }
  // The third holds on to it for too long.
  await waiting[2];
  await clock.advance(1000);
  assertEquals(clock.pending, 1);
  await clock.advance(250);
  const last = (await outcomes).at(-1);
  assertInstanceOf(last?.status === "rejected" && last.reason, PoolTimeoutError);
  assertEquals(clock.pending, 0);
});

Deno.test("Pool opens a new connection for the first who waits when a lost one comes back", async () => {
  const { pool, opened } = poolOf({ size: 1, maxOverflow: 0 });
  const [member] = await take(pool, 1);
  const waiting = pool.acquire();
  member?.destroy();
  pool.release(member as FakeMember);
  assertEquals(await waiting, { member: opened[1] as FakeMember, reused: false, silent: false });
});

Deno.test("Pool tells its state when nothing comes free in time, and the turn is lost", async () => {
  const { pool, clock } = poolOf({ timeoutSeconds: 1.5 });
  const members = await take(pool, 3);
  const late = assertRejects(() => pool.acquire(), PoolTimeoutError);
  await clock.advance(1500);
  const { message } = await late;
  for (
    const part of ["'default'", "1.5 s", "size 2", "checked out 3", "overflow 1", "checked in 0", "pool_size"]
  ) {
    assertStringIncludes(message, part);
  }
  for (const member of members) pool.release(member);
  assertEquals([pool.stats.checkedOut, clock.pending], [0, 0]);
});

Deno.test("Pool lets go of who waits when the signal aborts, with its reason", async () => {
  const { pool, clock } = poolOf({ size: 1, maxOverflow: 0 });
  const [member] = await take(pool, 1);
  const abort = new AbortController();
  const cut = assertRejects(() => pool.acquire(abort.signal), Error, "drained");
  const next = pool.acquire();
  abort.abort(new Error("drained"));
  await cut;
  pool.release(member as FakeMember);
  assertStrictEquals((await next).member, member);
  assertEquals(clock.pending, 0);
});

Deno.test("Pool lets nobody wait or open whose signal has aborted, but hands out what is idle", async () => {
  const { pool, opened } = poolOf({ size: 1, maxOverflow: 0 });
  const aborted = AbortSignal.abort(new Error("drained"));
  await assertRejects(() => pool.acquire(aborted), Error, "drained");
  const [member] = await take(pool, 1);
  await assertRejects(() => pool.acquire(aborted), Error, "drained");
  pool.release(member as FakeMember);
  assertStrictEquals((await pool.acquire(aborted)).member, member);
  assertEquals([opened.length, pool.stats.checkedOut], [1, 1]);
});

for (const [size, maxOverflow] of [[0, 1], [2, -1]] as const) {
  Deno.test(`Pool has no limit with pool_size ${size} and max_overflow ${maxOverflow}, as QueuePool`, async () => {
    const { pool } = poolOf({ size, maxOverflow });
    const members = await take(pool, 50);
    for (const member of members) pool.release(member);
    assertEquals(pool.stats.checkedIn, size === 0 ? 50 : 2);
  });
}

Deno.test("Pool replaces a connection that is older than pool_recycle, when it is taken and when it is handed on", async () => {
  const { pool, clock, opened } = poolOf({ size: 1, maxOverflow: 0, recycleSeconds: 60 });
  const [first] = await take(pool, 1);
  pool.release(first as FakeMember);
  await clock.advance(60_000);
  assertEquals((await pool.acquire()).reused, true);
  const waiting = pool.acquire();
  await clock.advance(1);
  pool.release(first as FakeMember);
  assertEquals((await waiting).reused, false);
  assertEquals([first?.lost, opened.length], [true, 2]);
});

Deno.test("Pool asks a connection that has been idle for a sign of life, and not one that was just in use", async () => {
  const { pool, clock, pinged } = poolOf({ size: 1 });
  const [member] = await take(pool, 1);
  pool.release(member as FakeMember);
  pool.release((await pool.acquire()).member);
  assertEquals(pinged, []);
  await clock.advance(501);
  pool.release((await pool.acquire()).member);
  assertEquals(pinged, [0]);
});

Deno.test("Pool opens a new connection when the idle one gives no sign of life, and drops its neighbours", async () => {
  const { pool, clock, opened } = poolOf({ ping: () => Promise.reject(new Error("silence")) });
  for (const member of await take(pool, 2)) pool.release(member);
  await clock.advance(501);
  const { member, reused } = await pool.acquire();
  assertEquals([member.number, reused], [2, false]);
  assertEquals(opened.map(({ lost }) => lost), [true, true, false]);
  assertEquals(pool.stats, { size: 2, checkedOut: 1, overflow: 0, checkedIn: 0 });
});

Deno.test("Pool asks nobody without pool_pre_ping", async () => {
  const { pool, clock, pinged } = poolOf({ prePing: false });
  const [member] = await take(pool, 1);
  pool.release(member as FakeMember);
  await clock.advance(3_600_000);
  assertEquals((await pool.acquire()).reused, true);
  assertEquals(pinged, []);
});

Deno.test("Pool forgets an idle connection that is lost", async () => {
  const { pool, opened } = poolOf();
  for (const member of await take(pool, 2)) pool.release(member);
  opened[0]?.destroy();
  await Promise.resolve();
  assertEquals(pool.stats.checkedIn, 1);
  assertEquals((await pool.acquire()).member.number, 1);
});

Deno.test("Pool gives the turn to the next when opening fails", async () => {
  let failures = 1;
  const { pool, clock } = poolOf({
    size: 1,
    maxOverflow: 0,
    open: () => {
      if (failures-- > 0) return Promise.reject(new ProviderUnavailableError("refused"));
      return Promise.resolve(new FakeMember(7, clock.monotonic()));
    },
  });
  const first = assertRejects(() => pool.acquire(), ProviderUnavailableError, "refused");
  const second = pool.acquire();
  await first;
  assertEquals((await second).member.number, 7);
});

Deno.test("Pool tries again when there are too many connections, until pool_timeout", async () => {
  const refusal = new ProviderUnavailableError("too many");
  let tries = 0;
  const { pool, clock } = poolOf({
    isPassing: (error) => error === refusal,
    open: () => {
      tries++;
      return Promise.reject(refusal);
    },
  });
  const failed = assertRejects(() => pool.acquire(), ProviderUnavailableError, "too many");
  await clock.advance(30_000);
  await failed;
  assertEquals([tries > 100, pool.stats.checkedOut, clock.pending], [true, 0, 0]);
});

Deno.test("Pool turns everybody away when it is closed, cuts what is in use and waits for the end of all", async () => {
  const { pool, opened, clock } = poolOf();
  const [idle, busy] = await take(pool, 2);
  pool.release(idle as FakeMember);
  await take(pool, 2);
  const waiting = assertRejects(() => pool.acquire(), ProviderUnavailableError, "closed");
  await pool.close();
  await waiting;
  await pool.close();
  pool.release(busy as FakeMember);
  assertEquals(opened.every(({ lost }) => lost), true);
  assertInstanceOf(await assertRejects(() => pool.acquire()), ProviderUnavailableError);
  assertEquals([pool.stats.checkedIn, clock.pending], [0, 0]);
});

Deno.test("Pool hands nothing out that was on its way when it was closed", async () => {
  const pinged = Promise.withResolvers<void>();
  const { pool, clock, opened } = poolOf({ ping: () => pinged.promise });
  const [member] = await take(pool, 1);
  pool.release(member as FakeMember);
  await clock.advance(501);
  const late = assertRejects(() => pool.acquire(), ProviderUnavailableError, "closed");
  const closed = pool.close();
  pinged.resolve();
  await Promise.all([late, closed]);
  assertEquals([opened[0]?.lost, pool.stats.checkedOut], [true, 0]);
});

Deno.test("Pool takes a connection back once, however often it is given back", async () => {
  const { pool } = poolOf();
  const [member] = await take(pool, 1);
  pool.release(member as FakeMember);
  pool.release(member as FakeMember);
  assertEquals(pool.stats, { size: 2, checkedOut: 0, overflow: 0, checkedIn: 1 });
});
