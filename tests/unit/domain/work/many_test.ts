/** `getMany` of repositories and views: what it returns, what it knows already, what it asks for. */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ExpectedVersionError } from "@protean/server";
import { z } from "zod";
import { inMemory, inSqlite, type Shop, shop, started } from "../fixture.ts";

function onBoth(name: string, test: (my: Shop) => Promise<void>): void {
  Deno.test(`${name} (memory)`, async () => {
    const my = shop();
    await using _ = await started(my.domain);
    await test(my);
  });
  Deno.test(`${name} (sqlite)`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const my = shop();
      await using _ = await started(my.domain, { config: inSqlite(folder) });
      await test(my);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

const stock = ({ domain, Order, Counter }: Shop, ids: string) =>
  domain.unitOfWork(async (ctx) => {
    for (const id of ids) {
      await ctx.repository(Order).add(Order.create({ id, status: "placed", amount: 1 }));
      await ctx.view(Counter).put({ id, count: 1 });
    }
  });

onBoth(
  "getMany returns those that exist, in the order in which they are asked for, each once",
  async (my) => {
    await stock(my, "abc");
    await my.domain.unitOfWork(async (ctx) => {
      const ids = ["c", "none", "a", "c", "", "a\0", "\ud800"];
      const orders = await ctx.repository(my.Order).getMany(ids);
      assertEquals([...orders].map(([id, { state }]) => [id, state.amount]), [["c", 1], ["a", 1]]);
      const rows = await ctx.view(my.Counter).getMany(ids);
      assertEquals([...rows], [["c", { id: "c", count: 1 }], ["a", { id: "a", count: 1 }]]);
      assertEquals((await ctx.repository(my.Order).getMany([])).size, 0);
      assertEquals((await ctx.view(my.Counter).getMany([])).size, 0);
    });
  },
);

onBoth("getMany knows what its unit of work has read, added, written and removed", async (my) => {
  await stock(my, "abc");
  await my.domain.unitOfWork(async (ctx) => {
    const orders = ctx.repository(my.Order);
    const [a, d] = [await orders.get("a"), my.Order.create({ id: "d", status: "new", amount: 4 })];
    a.update({ amount: 7 });
    await orders.add(d);
    await orders.remove(await orders.get("b"));
    const many = await orders.getMany(["a", "b", "c", "d"]);
    assertEquals([...many.keys()], ["a", "c", "d"]);
    assertStrictEquals(many.get("a"), a);
    assertStrictEquals(many.get("d"), d);
    assertStrictEquals(many.get("c"), await orders.get("c"));
    const view = ctx.view(my.Counter);
    await view.put({ id: "a", count: 9 });
    await view.delete("b");
    await view.put({ id: "e", count: 5 });
    const rows = await view.getMany(["e", "b", "a", "c"]);
    assertEquals([...rows].map(([id, { count }]) => id + count), ["e5", "a9", "c1"]);
  });
});

onBoth(
  "a write after getMany holds only if nobody else has written since, also where nothing was",
  async (my) => {
    await stock(my, "a");
    for (const id of ["a", "new"]) {
      await assertRejects(
        () =>
          my.domain.unitOfWork(async (ctx) => {
            await ctx.view(my.Counter).getMany(["a", "new"]);
            await my.domain.unitOfWork((other) => other.view(my.Counter).put({ id, count: 2 }));
            await ctx.view(my.Counter).put({ id, count: 3 });
          }),
        ExpectedVersionError,
      );
    }
    await assertRejects(
      () =>
        my.domain.unitOfWork(async (ctx) => {
          const order = (await ctx.repository(my.Order).getMany(["a"])).get("a");
          await my.domain.unitOfWork(async (other) => {
            const same = await other.repository(my.Order).get("a");
            same.update({ amount: 2 });
            await other.repository(my.Order).add(same);
          });
          order?.update({ amount: 3 });
          if (order) await ctx.repository(my.Order).add(order);
        }),
      ExpectedVersionError,
    );
  },
);

onBoth("getMany takes more ids than one statement", async (my) => {
  await stock(my, "ab");
  const ids = Array.from({ length: 40_000 }, (_, n) => `none ${n}`);
  await my.domain.unitOfWork(async (ctx) => {
    assertEquals([...(await ctx.view(my.Counter).getMany(["b", ...ids, "a"])).keys()], ["b", "a"]);
    assertEquals([...(await ctx.repository(my.Order).getMany(["b", ...ids, "a"])).keys()], ["b", "a"]);
  });
});

Deno.test("getMany reads a projection that is kept in a cache, own writes included", async () => {
  const { domain } = shop();
  const Cached = domain.projection("Cached", {
    schema: z.object({ id: z.string(), n: z.number() }),
    cache: "default",
  });
  await using _ = await started(domain, { config: inMemory() });
  await domain.unitOfWork(async (ctx) => {
    for (const id of "abc") await ctx.view(Cached).put({ id, n: 1 });
  });
  await domain.unitOfWork(async (ctx) => {
    const view = ctx.view(Cached);
    await view.put({ id: "a", n: 2 });
    await view.delete("b");
    assertEquals([...await view.getMany(["c", "b", "a", "none", "a"])].map(([id, { n }]) => id + n), [
      "c1",
      "a2",
    ]);
  });
});
