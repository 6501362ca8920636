import { assertEquals, assertRejects } from "@std/assert";
import { Mutex } from "../../../../../lib/adapters/sqlite/file/mutex.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";

function mutex() {
  const clock = new FakeClock();
  return { clock, mutex: new Mutex({ clock, ms: 1000, late: () => new Error("too late") }) };
}

Deno.test("Mutex hands out turns in the order in which they were asked for", async () => {
  const { mutex: turns, clock } = mutex();
  const order: number[] = [];
  const workers = Array.from({ length: 10 }, async (_, index) => {
    const release = await turns.acquire();
    order.push(index);
    await Promise.resolve();
    release();
    release();
  });
  await Promise.all(workers);
  assertEquals(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(clock.pending, 0);
});

Deno.test("Mutex lets nobody slip in between two turns", async () => {
  const { mutex: turns } = mutex();
  const order: string[] = [];
  const first = await turns.acquire();
  const second = turns.acquire().then((release) => {
    order.push("second");
    release();
  });
  first();
  const third = turns.acquire().then((release) => {
    order.push("third");
    release();
  });
  await Promise.all([second, third]);
  assertEquals(order, ["second", "third"]);
});

Deno.test("Mutex gives an aborted place in the queue up", async () => {
  const { mutex: turns, clock } = mutex();
  const release = await turns.acquire();
  const abort = new AbortController();
  const given = turns.acquire(abort.signal);
  const next = turns.acquire();
  abort.abort(new Error("cut"));
  await assertRejects(() => given, Error, "cut");
  release();
  (await next)();
  assertEquals(clock.pending, 0);
  await assertRejects(() => turns.acquire(abort.signal), Error, "cut");
});

Deno.test("Mutex refuses who has waited too long, and goes on", async () => {
  const { mutex: turns, clock } = mutex();
  const release = await turns.acquire();
  const late = assertRejects(() => turns.acquire(), Error, "too late");
  await clock.advance(999);
  const next = turns.acquire();
  await clock.advance(1);
  await late;
  release();
  (await next)();
  assertEquals(clock.pending, 0);
});

Deno.test("Mutex refuses everybody once it is closed", async () => {
  const { mutex: turns, clock } = mutex();
  const release = await turns.acquire();
  const waiting = [turns.acquire(), turns.acquire()].map((turn) =>
    assertRejects(() => turn, Error, "closed")
  );
  turns.close(new Error("closed"));
  await Promise.all(waiting);
  release();
  await assertRejects(() => turns.acquire(), Error, "closed");
  assertEquals(clock.pending, 0);
});
