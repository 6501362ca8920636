/** `ctx.cache`, and projections kept in a cache (wire 5). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Domain, IncorrectUsageError, ValidationError } from "@protean/server";
import fc from "../../../support/property.ts";
import { z } from "zod";
import { shop, started } from "../fixture.ts";

Deno.test("cached values are read back as they were written, and gone when their time is over", async () => {
  const { domain } = shop();
  await using running = await started(domain);
  await domain.unitOfWork(async (ctx) => {
    await ctx.cache.set("a", { n: [1, null] });
    await ctx.cache.set("b", "text", { ttlMs: 1000 });
    assertEquals(await ctx.cache.get("a"), { n: [1, null] });
    assertEquals(await ctx.cache.get("nothing"), undefined);
    assertEquals(await running.runtime.caches.get("default")?.get("a"), undefined);
  });
  await running.clock.advance(1000);
  await domain.unitOfWork(async (ctx) => {
    assertEquals(await ctx.cache.get("a"), { n: [1, null] });
    assertEquals(await ctx.cache.get("b"), undefined);
    await ctx.cache.delete("a");
    assertEquals(await ctx.cache.get("a"), undefined);
    await assertRejects(() => ctx.cache.set("c", () => 1), ValidationError);
  });
  assertEquals(await running.runtime.caches.get("default")?.get("a"), undefined);
});

function cached() {
  const domain = new Domain("my_domain");
  const schema = z.object({ orderId: z.string(), at: z.coerce.date().optional() });
  const OrderCache = domain.projection("OrderCache", { schema, identity: "orderId", cache: "default" });
  return { domain, OrderCache };
}

Deno.test("a cached projection has Python's keys and values", async () => {
  const { domain, OrderCache } = cached();
  await using running = await started(domain);
  await domain.unitOfWork((ctx) => ctx.view(OrderCache).put({ orderId: "A2", at: "2026-01-02" }));
  assertEquals(
    JSON.parse(await running.runtime.caches.get("default")?.get("order_cache:::A2") ?? ""),
    { orderId: "A2", at: "2026-01-02T00:00:00.000Z" },
  );
  await domain.unitOfWork(async (ctx) => {
    assertEquals(await ctx.view(OrderCache).get("A2"), { orderId: "A2", at: new Date("2026-01-02") });
    await ctx.view(OrderCache).delete("A2");
    assertEquals(await ctx.view(OrderCache).get("A2"), undefined);
  });
  assertEquals(await running.runtime.caches.get("default")?.keys("", { limit: 10 }), []);
});

Deno.test("a cached projection lists only its own rows, pages and its own writes", async () => {
  const { domain, OrderCache } = cached();
  await using running = await started(domain);
  await running.runtime.caches.get("default")?.set("order_cachex:::zz", "{}");
  await domain.unitOfWork(async (ctx) => {
    for (const orderId of "bdf") await ctx.view(OrderCache).put({ orderId });
  });
  await domain.unitOfWork(async (ctx) => {
    const view = ctx.view(OrderCache);
    await view.put({ orderId: "c" });
    await view.delete("d");
    const ids = async (options?: { limit?: number; after?: string }) =>
      (await view.list(options)).map(({ orderId }) => orderId).join("");
    assertEquals(await ids(), "bcf");
    assertEquals(await ids({ limit: 2 }), "bc");
    assertEquals(await ids({ after: "b", limit: 2 }), "cf");
  });
});

Deno.test("a view lists what a map of its writes would, page by page", async () => {
  const id = fc.constantFrom("a", "b", "c", "\u{1f600}", "\uffee", "z");
  const write = fc.record({ id, put: fc.boolean() });
  const page = fc.record({ limit: fc.integer({ min: 1, max: 4 }), after: fc.option(id, { nil: undefined }) });
  const sorted = (ids: Iterable<string>) =>
    [...ids].sort((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0));
  for (const place of [{}, { cache: "default" }]) {
    await fc.assert(
      fc.asyncProperty(fc.array(write), fc.array(write), page, async (before, here, { limit, after }) => {
        const domain = new Domain("d");
        const View = domain.projection("V", { schema: z.object({ id: z.string() }), ...place });
        await using _running = await started(domain);
        const model = new Set<string>();
        const apply = (writes: typeof before) =>
          domain.unitOfWork(async (ctx) => {
            for (const { id, put } of writes) {
              await (put ? ctx.view(View).put({ id }) : ctx.view(View).delete(id));
              if (put) model.add(id);
              else model.delete(id);
            }
            const rows = await ctx.view(View).list(after === undefined ? { limit } : { limit, after });
            const expected = sorted(model).filter((id) =>
              after === undefined || (id.codePointAt(0) ?? 0) > (after.codePointAt(0) ?? 0)
            );
            assertEquals(rows.map(({ id }) => id), expected.slice(0, limit));
          });
        await apply(before);
        await apply(here);
      }),
      { numRuns: 60 },
    );
  }
});

Deno.test("a row without an identity is refused, and so is a cache that is not configured", async () => {
  const { domain, OrderCache } = cached();
  await using running = await started(domain);
  await assertRejects(
    () => domain.unitOfWork((ctx) => ctx.view(OrderCache).put({ orderId: "" })),
    ValidationError,
    "orderId",
  );
  assert(running.runtime.caches instanceof Map);
  (running.runtime.caches as Map<string, unknown>).delete("default");
  await assertRejects(
    () => domain.unitOfWork((ctx) => ctx.cache.set("a", 1)),
    IncorrectUsageError,
    "There is no cache 'default'",
  );
});
