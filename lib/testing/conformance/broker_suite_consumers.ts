/**
 * Rules of consumers and figures (PIPE-9).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { at, numbered, type Rule } from "./broker_suite_rig.ts";

export function consumerRules(rule: Rule): void {
  rule("retires a consumer only when it has nothing pending", async ({ publish, consumer }) => {
    const ids = await publish("1");
    const a = await consumer("a");
    await a.read({ count: 9 });
    assertEquals(await a.retire(), false);
    assertEquals((await a.info())?.consumers, 1);
    assertEquals((await a.pending({ limit: 9 })).length, 1);
    await a.ack(ids);
    assertEquals(await a.retire(), true);
    assertEquals((await a.info())?.consumers, 0);
  });

  rule("lets a retired consumer read again", async ({ publish, consumer }) => {
    const a = await consumer("a");
    await a.read({ count: 1 });
    await a.retire();
    await publish("1");
    assertEquals((await a.read({ count: 1 })).length, 1);
    assertEquals((await a.info())?.consumers, 1);
  });

  rule("sweeps others that are idle with nothing pending, never itself (S47)", async (rig) => {
    const { publish, consumer, elapse } = rig;
    await publish("1");
    const [busy, old, fresh, self] = [
      await consumer("busy"),
      await consumer("old"),
      await consumer("fresh"),
      await consumer("self"),
    ];
    await busy.read({ count: 1 });
    await old.read({ count: 1 });
    await self.read({ count: 1 });
    await elapse(1000);
    await fresh.read({ count: 1 });
    assertEquals(await self.sweep(900), ["old"]);
    assertEquals(await self.sweep(900), []);
    assertEquals((await self.info())?.consumers, 3);
    assertEquals((await self.pending({ limit: 9 })).map((entry) => entry.consumer), ["busy"]);
  });

  rule(
    "sweeps what earlier starts of the same process have left, sooner than others, unless it is pending (S47)",
    async (rig) => {
      const { publish, consumer, elapse } = rig;
      await publish("1");
      const names = ["H-host-1000-0000aa", "H-host-1000-0000ab", "H-host-100-0000ac", "H-other-1000-0000ad"];
      for (const name of names) {
        const left = await consumer(name);
        await left.read({ count: 1 });
        await left.close();
      }
      const self = await consumer("H-host-1000-0000ae");
      await elapse(1000);
      const living = await consumer("H-host-1000-0000af");
      for (const one of [self, living]) await one.read({ count: 1 });
      // The first of them has the entry.
      const own = { prefix: "H-host-1000-", idleMs: 900 };
      assertEquals(await self.sweep(3_600_000, own), ["H-host-1000-0000ab"]);
      assertEquals((await self.info())?.consumers, 5);
    },
  );

  rule("tells a group's figures", async ({ publish, consumer, broker, stream }) => {
    const ids = await publish(...numbered(5));
    const a = await consumer("a");
    const empty = { group: "g1", length: 5, lag: 5, pending: 0, consumers: 0, lastDeliveredId: "0-0" };
    assertEquals(await a.info(), empty);
    await a.read({ count: 3 });
    await (await consumer("b")).read({ count: 1 });
    await a.ack([at(ids, 0)]);
    const figures = { ...empty, lag: 1, pending: 3, consumers: 2, lastDeliveredId: at(ids, 3) };
    assertEquals(await a.info(), figures);
    await consumer("a", { group: "g2" });
    const groups = [...await broker.groups(stream)].sort((x, y) => x.group < y.group ? -1 : 1);
    assertEquals(groups, [figures, { ...empty, group: "g2" }]);
    assertEquals(await (await consumer("a", { group: "g3", ensure: false })).info(), undefined);
  });

  rule("never takes an unknown lag for zero", async ({ publish, consumer, broker, stream }) => {
    const ids = await publish(...numbered(4));
    const a = await consumer("a");
    await a.read({ count: 1 });
    await broker.deadLetters.remove(stream, [at(ids, 2)]);
    const lag = (await a.info())?.lag;
    assertEquals(lag === null || lag === 2, true, `lag ${lag}`);
  });
}
