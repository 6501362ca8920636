import { assertEquals } from "@std/assert";
import { Others } from "../../../../lib/adapters/redis/others.ts";
import type { Peer } from "../../../../lib/adapters/redis/presence.ts";
import { FakeClock } from "../../../../lib/testing/fake_clock.ts";

/** A consumer that shows nothing; `at`: when it read last, or was handed something. */
const python = (name: string, idleMs: number): Peer => ({ name, pending: 0, unseenMs: undefined, idleMs });
const ours = (name: string): Peer => ({ name, pending: 0, unseenMs: 10, idleMs: 10 });

Deno.test("of a group's others those are handed entries that read not long ago, each in its turn", async () => {
  const clock = new FakeClock();
  let peers = [ours("ts"), python("a", 100), python("b", 29_000), python("old", 31_000)];
  const others = new Others(() => Promise.resolve(peers), clock);
  const found = [await others.next(), await others.next(), await others.next()];
  assertEquals([...new Set(found)].sort(), ["a", "b"]);
  peers = [ours("ts")];
  await clock.advance(1_000);
  assertEquals(await others.next(), undefined);
});

Deno.test("to be handed something is no sign of life", async () => {
  const clock = new FakeClock();
  const handedAt = { time: clock.monotonic() };
  const others = new Others(() => Promise.resolve([python("a", clock.monotonic() - handedAt.time)]), clock);
  let handed = 0;
  for (let second = 0; second < 120; second++) {
    if (await others.next() !== undefined) {
      handed++;
      handedAt.time = clock.monotonic();
      others.handed("a", true);
    }
    await clock.advance(1_000);
  }
  assertEquals(handed, 30);
});

Deno.test("who reads stays alive, however much it is handed", async () => {
  const clock = new FakeClock();
  const others = new Others(() => Promise.resolve([python("a", 0)]), clock);
  for (let second = 0; second < 120; second++) {
    assertEquals(await others.next(), "a");
    others.handed("a", true);
    await clock.advance(1_000);
  }
});
