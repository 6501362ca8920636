/**
 * Rules of aggregate and view rows, their versions and their tables.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ExpectedVersionError, RefusedError } from "../../errors.ts";
import { loadMany, MOST_AT_ONCE } from "../../adapters/ports.ts";
import { inSession, outboxInsert, type Rule, writeSet } from "./provider_suite_rig.ts";

/** In order of code points, which is not the order of UTF-16 units. */
const SORTED_IDS = ["", "10", "9", "A", "B-1", "a", "a b", "it's", "z", "é", "€", "\uff5e", "😀"];

export function rowRules(rule: Rule): void {
  rule("loads nothing where nothing is stored", async ({ stored }) => {
    assertEquals(await stored("o1"), undefined);
  });

  rule("counts versions from 0 and keeps the state", async ({ commit, row, stored }) => {
    const state = {
      id: "o1",
      note: "äöü 😀 'quoted' \"twice\" \\ \u0001",
      deep: [{ a: null, b: [1.5, -2, 1e21] }],
    };
    await commit({ rows: [row("o1", -1, { id: "o1" })] });
    assertEquals((await stored("o1"))?.version, 0);
    await commit({ rows: [row("o1", 0, state)] });
    const loaded = await stored("o1");
    assertEquals(loaded?.version, 1);
    assertEquals(JSON.parse(loaded?.state ?? "null"), state);
  });

  rule("keeps tables apart", async ({ commit, row, stored, view, provider }) => {
    await commit({
      rows: [row("o1", -1, { of: "order" }), { ...row("o1", -1, { of: "view" }), table: view }],
    });
    assertEquals(JSON.parse((await stored("o1"))?.state ?? "null"), { of: "order" });
    const other = await inSession(provider, (session) => session.load(view, "o1"));
    assertEquals(JSON.parse(other?.state ?? "null"), { of: "view" });
  });

  rule("loads many rows at once: those that exist, in a session with what it has flushed", async (rig) => {
    const { provider, other, commit, row, table, view } = rig;
    const none = await inSession(provider, (session) => loadMany(session, table, ["o1", "o2"]));
    assertEquals([...none], []);
    await commit({ rows: SORTED_IDS.filter((id) => id !== "z").map((id) => row(id, -1, { id })) });
    await commit({ rows: [row("10", 0, { again: true })] });
    await inSession(other, async (session) => {
      const rows = await loadMany(session, table, [...SORTED_IDS, "10", "none", "z", "' OR 1=1"]);
      assertEquals([...rows.keys()].toSorted(), SORTED_IDS.filter((id) => id !== "z").toSorted());
      assertEquals(rows.get("10")?.version, 1);
      assertEquals(JSON.parse(rows.get("10")?.state ?? "null"), { again: true });
      for (const [id, { id: own, state, version }] of rows) {
        if (id !== "10") assertEquals([own, JSON.parse(state), version], [id, { id }, 0]);
      }
      assertEquals([...await loadMany(session, table, [])], []);
      assertEquals([...await loadMany(session, view, ["10"])], []);
    });
    await inSession(provider, async (session) => {
      await session.flush(writeSet({ rows: [row("10", 1, { flushed: true }), row("A", 0)] }));
      const rows = await loadMany(session, table, ["10", "A", "9"]);
      assertEquals([...rows.keys()].toSorted(), ["10", "9"]);
      assertEquals(JSON.parse(rows.get("10")?.state ?? "null"), { flushed: true });
    });
  });

  rule("loads more rows at once than a statement takes", async ({ provider, commit, row, table }) => {
    const ids = Array.from({ length: 2 * MOST_AT_ONCE + 7 }, (_, n) => `row ${n}`);
    await commit({ rows: ids.toSorted().map((id) => row(id, -1, { id })) });
    const rows = await inSession(provider, (session) => loadMany(session, table, [...ids, ...ids, "none"]));
    assertEquals(rows.size, ids.length);
    assertEquals(JSON.parse(rows.get("row 2000")?.state ?? "null"), { id: "row 2000" });
  });

  const stale: readonly (readonly [sentence: string, expected: number, state: unknown])[] = [
    ["a row that exists already", -1, { by: "second" }],
    ["an older version", 0, { by: "second" }],
    ["a newer version", 2, { by: "second" }],
    ["the deletion of an older version", 0, undefined],
    ["the deletion of a row that must not exist but does", -1, undefined],
  ];
  for (const [sentence, expected, state] of stale) {
    rule(`refuses ${sentence}, and everything with it`, async ({ commit, row, stored, provider }) => {
      await commit({ rows: [row("o1", -1, { by: "first" })] });
      await commit({ rows: [row("o1", 0, { by: "first" })] });
      const writes = {
        rows: [row("before", -1, {}), row("o1", expected, state)],
        outbox: [outboxInsert("s-1")],
      };
      await assertRejects(() => commit(writes), ExpectedVersionError, "o1");
      assertEquals((await stored("o1"))?.version, 1);
      assertEquals(await stored("before"), undefined);
      assertEquals((await provider.outbox.stats()).counts.pending, 0);
    });
  }

  rule("refuses to change or delete a row that is gone", async ({ commit, row }) => {
    await assertRejects(() => commit({ rows: [row("o1", 3, {})] }), ExpectedVersionError);
    await assertRejects(() => commit({ rows: [row("o1", 3)] }), ExpectedVersionError);
  });

  rule("deletes a row, whose id may then be used again", async ({ commit, row, stored }) => {
    await commit({ rows: [row("o1", -1, {})] });
    await commit({ rows: [row("o1", 0)] });
    assertEquals(await stored("o1"), undefined);
    await commit({ rows: [row("o1", -1, { again: true })] });
    assertEquals((await stored("o1"))?.version, 0);
  });

  rule(
    "writes and deletes whatever is there when no version is expected",
    async ({ commit, row, stored }) => {
      for (const version of [0, 1, 2]) {
        await commit({ rows: [row("o1", undefined, { version })] });
        assertEquals((await stored("o1"))?.version, version);
      }
      await commit({ rows: [row("o1", undefined), row("never", undefined), row("neither", -1)] });
      assertEquals(await stored("o1"), undefined);
    },
  );

  rule("applies several writes of one row in order", async ({ commit, row, stored }) => {
    await commit({
      rows: [row("o1", -1, { step: 1 }), row("o1", 0, { step: 2 }), row("o1", 1, { step: 3 })],
    });
    const loaded = await stored("o1");
    assertEquals([loaded?.version, loaded?.state && JSON.parse(loaded.state)], [2, { step: 3 }]);
    await commit({ rows: [row("o1", 2), row("o1", -1, { step: 4 })] });
    assertEquals((await stored("o1"))?.version, 0);
  });

  rule(
    "lets one of many savers of the same version through",
    async ({ commit, row, stored, provider, other }) => {
      await commit({ rows: [row("o1", -1, {})] });
      const savers = Array.from(
        { length: 20 },
        (_, saver) => commit({ rows: [row("o1", 0, { saver })] }, saver % 2 ? other : provider),
      );
      const results = await Promise.allSettled(savers);
      assertEquals(results.filter(({ status }) => status === "fulfilled").length, 1);
      for (const result of results) {
        if (result.status === "rejected") {
          assert(
            result.reason instanceof ExpectedVersionError,
            result.reason,
          );
        }
      }
      assertEquals((await stored("o1"))?.version, 1);
    },
  );

  rule("lists rows by code point, page by page", async ({ commit, row, provider, table }) => {
    const ids = SORTED_IDS.slice(1);
    await commit({ rows: [...ids].reverse().map((id) => row(id, -1, { id })) });
    const list = (options: { after?: string; limit: number }) =>
      inSession(provider, async (session) => (await session.list(table, options)).map(({ id }) => id));
    assertEquals(await list({ limit: 100 }), ids);
    assertEquals(await list({ limit: 4 }), ids.slice(0, 4));
    assertEquals(await list({ limit: 4, after: ids[3] ?? "" }), ids.slice(4, 8));
    assertEquals(await list({ limit: 9, after: "a a" }), ids.slice(ids.indexOf("a b")));
    assertEquals(await list({ limit: 9, after: "😀" }), []);
  });

  rule("takes ids as text, whatever they hold", async ({ commit, row, stored, provider, table }) => {
    for (const id of [...SORTED_IDS, "'; DROP TABLE x; --", "%", "\\", "$1", "?"]) {
      await commit({ rows: [row(id, -1, { id })] });
      assertEquals(JSON.parse((await stored(id))?.state ?? "null"), { id });
    }
    const all = await inSession(provider, (session) => session.list(table, { limit: 100 }));
    assertEquals(all.length, SORTED_IDS.length + 5);
  });

  rule("says which table is missing", async ({ commit, row, provider }) => {
    const missing = "protean_suite_never_set_up";
    const writes = { rows: [{ ...row("o1", -1, {}), table: missing }] };
    const load = () => inSession(provider, (session) => session.load(missing, "o1"));
    for (const use of [() => commit(writes), load]) {
      const { code } = await assertRejects(use, RefusedError, missing);
      // The look before the start warns about such a table instead of refusing to go on.
      assertEquals(code, "DATABASE_TABLE_MISSING");
    }
  });

  rule("is set up any number of times, also at once, and loses nothing", async (rig) => {
    const { commit, row, stored, provider, other, table } = rig;
    await commit({ rows: [row("o1", -1, {})], outbox: [outboxInsert("s-1")] });
    const tables = [{ kind: "aggregate", name: table }, { kind: "view", name: `${table}_new` }] as const;
    const setups = [provider, other, provider, other].map((each) => each.setup("all", tables));
    await Promise.all([...setups, provider.setup("own", [])]);
    await provider.verify();
    assertEquals((await stored("o1"))?.version, 0);
    assertEquals((await provider.outbox.stats()).counts.pending, 1);
    await commit({ rows: [{ ...row("v1", -1, {}), table: `${table}_new` }] });
  });

  rule("truncates tables, outbox and marks", async ({ commit, row, stored, provider, table }) => {
    const mark = { handler: "h", type: "t", messageId: "m" };
    const session = provider.session();
    assert(await session.mark(mark));
    await session.commit(writeSet({ rows: [row("o1", -1, {})], outbox: [outboxInsert("s-1")] }));
    await provider.truncate([{ kind: "aggregate", name: table }, {
      kind: "view",
      name: "protean_suite_missing",
    }]);
    assertEquals(await stored("o1"), undefined);
    assertEquals((await provider.outbox.stats()).counts.pending, 0);
    assert(await inSession(provider, (next) => next.mark(mark)));
    await commit({ rows: [row("o1", -1, {})], outbox: [outboxInsert("s-1")] });
  });

  rule("drops tables, which can be set up again", async ({ commit, row, stored, provider, table }) => {
    const spec = [{ kind: "aggregate", name: table }] as const;
    await commit({ rows: [row("o1", -1, {})] });
    await provider.drop(spec);
    await provider.drop(spec);
    await assertRejects(() => commit({ rows: [row("o1", -1, {})] }), RefusedError, table);
    await provider.setup("all", spec);
    assertEquals(await stored("o1"), undefined);
    await commit({ rows: [row("o1", -1, {})], outbox: [outboxInsert("s-1")] });
  });
}
