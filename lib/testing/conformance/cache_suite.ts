/**
 * What every cache must do (wire 5). Each adapter's own test file calls `cacheConformance`.
 *
 * @module
 */
import { assert, assertEquals, assertFalse } from "@std/assert";
import type { BaseCache } from "../../adapters/ports.ts";

/** An opened cache under test, with nothing in it and a `TTL` of 300 seconds. */
export interface CacheFixture {
  readonly cache: BaseCache;
  /**
   * Opens a second instance on the same backend, as another process would; the fixture's `close` closes it.
   */
  readonly another?: () => Promise<BaseCache>;
  /**
   * Lets at least `ms` pass for the cache: moves its clock, or waits where the backend has a clock of its
   * own.
   */
  elapse(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Runs every rule against caches that `open` opens, each rule with its own. */
export function cacheConformance(name: string, open: () => Promise<CacheFixture>): void {
  const rule = (sentence: string, prove: (fixture: CacheFixture) => Promise<void>) =>
    Deno.test(`${name} cache ${sentence}`, async () => {
      const fixture = await open();
      try {
        await prove(fixture);
      } finally {
        await fixture.close();
      }
    });

  rule("knows nothing that was not set", async ({ cache }) => {
    assertEquals(await cache.get("order:::1"), undefined);
    assertEquals(await cache.ttl("order:::1"), undefined);
    assertFalse(await cache.delete("order:::1"));
    assertEquals(await cache.keys("", { limit: 9 }), []);
  });

  rule("gives back the text that was set last", async ({ cache, another }) => {
    const values = ['{"a":1.0}', "", "äöü 😀", "it's", '{"a":2}'];
    for (const value of values) {
      await cache.set("order:::1", value);
      assertEquals(await cache.get("order:::1"), value);
    }
    await cache.set("order:::2", "other");
    assertEquals(await cache.get("order:::1"), '{"a":2}');
    if (another) assertEquals(await (await another()).get("order:::1"), '{"a":2}');
  });

  rule("reads many keys at once, each for itself and in their order", async ({ cache, elapse }) => {
    const many = async (keys: readonly string[]) => await cache.getMany?.(keys) ?? await one(keys);
    const one = (keys: readonly string[]) => Promise.all(keys.map((key) => cache.get(key)));
    assertEquals(await many([]), []);
    assertEquals(await many(["a", "b"]), [undefined, undefined]);
    await cache.set("a", "1");
    await cache.set("it's * [x]", "");
    await cache.set("short", "1", 200);
    assertEquals(await many(["short", "b", "it's * [x]", "a", "a"]), ["1", undefined, "", "1", "1"]);
    await elapse(250);
    assertEquals(await many(["short", "a"]), [undefined, "1"]);
  });

  rule("deletes a key once", async ({ cache }) => {
    await cache.set("order:::1", "1");
    assert(await cache.delete("order:::1"));
    assertEquals(await cache.get("order:::1"), undefined);
    assertFalse(await cache.delete("order:::1"));
  });

  rule("lets a key live for its time and no longer", async ({ cache, elapse }) => {
    await cache.set("short", "1", 200);
    await cache.set("long", "1", 60_000);
    const left = await cache.ttl("short");
    assert(left !== undefined && left > 0 && left <= 200, `${left}`);
    await elapse(250);
    assertEquals(await cache.get("short"), undefined);
    assertEquals(await cache.ttl("short"), undefined);
    assertFalse(await cache.delete("short"));
    assertEquals(await cache.get("long"), "1");
    assertEquals(await cache.keys("", { limit: 9 }), ["long"]);
  });

  rule("keeps a key whose time is longer than any time there is", async ({ cache }) => {
    for (const ms of [2 ** 31, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE]) {
      await cache.set("key", `${ms}`, ms);
      assertEquals(await cache.get("key"), `${ms}`);
      assert((await cache.ttl("key") ?? 0) > 2 ** 31 - 60_000);
    }
  });

  rule("starts a key's time anew when it is set again", async ({ cache, elapse }) => {
    await cache.set("key", "1", 200);
    await cache.set("key", "2", 60_000);
    await elapse(250);
    assertEquals(await cache.get("key"), "2");
    await cache.set("key", "3", 200);
    await elapse(250);
    assertEquals(await cache.get("key"), undefined);
  });

  rule(
    "takes its own TTL where none is given, and keeps a key forever where it is endless",
    async ({ cache }) => {
      await cache.set("default", "1");
      const left = await cache.ttl("default");
      assert(left !== undefined && left > 299_000 && left <= 300_000, `${left}`);
      await cache.set("forever", "1", Infinity);
      assertEquals(await cache.ttl("forever"), Infinity);
      await cache.set("forever", "2");
      assert(await cache.ttl("forever") !== Infinity);
    },
  );

  rule("lists keys with a prefix by code point, page by page", async ({ cache }) => {
    const keys = ["a:1", "a:10", "a:2", "a:B", "a:b", "a:é", "a:\uff5e", "a:😀"];
    for (const key of [...keys, "A:1", "a", "b:1", "a;", "a:*"].reverse()) await cache.set(key, "1");
    const all = ["a:*", ...keys];
    assertEquals(await cache.keys("a:", { limit: 99 }), all);
    assertEquals(await cache.keys("a:", { limit: 3 }), all.slice(0, 3));
    assertEquals(await cache.keys("a:", { limit: 3, after: "a:10" }), all.slice(3, 6));
    assertEquals(await cache.keys("a:", { limit: 9, after: "" }), all);
    assertEquals(await cache.keys("a:", { limit: 9, after: "b" }), []);
    assertEquals(await cache.keys("a:*", { limit: 9 }), ["a:*"]);
    assertEquals(await cache.keys("%", { limit: 9 }), []);
    assertEquals((await cache.keys("", { limit: 99 })).length, all.length + 4);
  });

  rule("takes keys as text, whatever they hold", async ({ cache }) => {
    const keys = ["it's", 'a "b"', "%", "_", "*", "[a]", "?", "\\", "a\nb", "äöü 😀"];
    for (const key of keys) await cache.set(key, key);
    for (const key of keys) assertEquals(await cache.get(key), key);
    for (const key of keys) assertEquals(await cache.keys(key, { limit: 2 }), [key]);
  });
}
