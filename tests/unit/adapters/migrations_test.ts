import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Component,
  componentSchema,
  nextChanges,
  requireCompatible,
  requireUpgraded,
  type Step,
} from "../../../lib/adapters/migrations.ts";
import { ConfigurationError } from "../../../lib/errors.ts";

function step(title: string, additive = true): Step {
  return { title, additive, statements: [title] };
}

function component(...steps: [Step, ...Step[]]): Component {
  return { name: "it's", tables: ["things"], steps, indexes: { by_time: "create by_time" } };
}

const INDEXES = new Set(["by_time"]);

function look(made: Component, row?: { version: number; compatible: number }, exists = true) {
  return componentSchema(made, { exists, row, columns: new Set(), indexes: INDEXES }, "protean_schema");
}

Deno.test("what is missing is created at the newest version, in one change that records it", () => {
  const schema = look(component(step("one"), step("two", false), step("three")), undefined, false);
  assertEquals([schema.state, schema.version, schema.latest, schema.compatible], ["missing", 0, 3, 0]);
  const [change, ...others] = schema.pending;
  assertEquals([change?.from, change?.to, others], [0, 3, []]);
  assertEquals(change?.statements.slice(0, 4), ["one", "two", "three", "create by_time"]);
  assert(
    change?.statements.at(-1)?.includes("('it''s', 3, 2, current_timestamp)"),
    "the lowest version it allows is 2",
  );
});

Deno.test("tables without a version are version 1, and each step is a change of its own", () => {
  const schema = look(component(step("one"), step("two"), step("three", false)));
  assertEquals([schema.state, schema.version, schema.compatible], ["behind", 1, 1]);
  assertEquals(schema.pending.map(({ from, to, additive }) => [from, to, additive]), [
    [1, 2, true],
    [2, 3, false],
  ]);
});

Deno.test("tables of the newest version without a row are current, and are recorded", () => {
  const schema = look(component(step("one")));
  assertEquals([schema.state, schema.pending.length], ["current", 1]);
  const recorded = look(component(step("one")), { version: 1, compatible: 1 });
  assertEquals([recorded.state, recorded.pending], ["current", []]);
});

Deno.test("an index that is missing is made again, unless a newer server has been there", () => {
  const found = { exists: true, columns: new Set<string>(), indexes: new Set<string>() };
  const [older, newer] = [1, 2].map((version) =>
    componentSchema(component(step("one")), { ...found, row: { version, compatible: 1 } }, "s")
  );
  assertEquals(older?.pending.map(({ statements }) => statements[0]), ["create by_time"]);
  assertEquals([newer?.state, newer?.pending], ["newer", []]);
});

Deno.test("everything that creates goes into one transaction, before the first step", () => {
  const fresh = look(component(step("one")), undefined, false);
  const behind = look(component(step("one"), step("two"), step("three")), { version: 1, compatible: 1 });
  assertEquals(nextChanges([behind, fresh, fresh]).map(({ from, to }) => [from, to]), [[0, 1], [0, 1]]);
  assertEquals(nextChanges([behind, behind]).map(({ from, to }) => [from, to]), [[1, 2]]);
});

Deno.test("a newer version is worked with as far as its steps were additive, and else refused in one sentence", () => {
  const known = component(step("one"), step("two"), step("three"));
  requireCompatible([look(known, { version: 5, compatible: 3 })], "database 'default'");
  const refused = look(known, { version: 5, compatible: 4 });
  assertEquals(refused.state, "incompatible");
  const error = assertThrows(() => requireCompatible([refused], "database 'default'"), ConfigurationError);
  assertEquals(error.code, "DATABASE_SCHEMA_NEWER");
  assertEquals(
    error.message,
    "The it's of database 'default' has schema version 5, which needs a server that knows version 4, and this server knows " +
      "up to 3: start the newer server that has upgraded it, or restore a backup from before that.",
  );
});

Deno.test("a table that waits for a step is refused where only an operator makes it", () => {
  const behind = look(component(step("one"), step("two")), { version: 1, compatible: 1 });
  const error = assertThrows(() => requireUpgraded([behind], "database 'default'"), ConfigurationError);
  assertEquals(error.code, "DATABASE_SCHEMA_OLDER");
  requireUpgraded([look(component(step("one"))), look(component(step("one")), undefined, false)], "it");
});

Deno.test("the columns that are there have the last word on the version that is recorded", () => {
  const adding = (column: string): Step => ({ ...step(column), adds: column });
  const made = component(step("one"), adding("b"), adding("c"));
  const judged = (columns: readonly string[], recorded?: number) => {
    const row = recorded === undefined ? undefined : { version: recorded, compatible: 1 };
    const found = { exists: true, row, columns: new Set(columns), indexes: INDEXES };
    const { version, pending } = componentSchema(made, found, "protean_schema");
    return [version, ...pending.map(({ title }) => title)];
  };
  assertEquals(judged(["b", "c"], 3), [3]);
  assertEquals(judged([], 3), [1, "b", "c"], "made again by a server that records nothing");
  assertEquals(judged(["b"], 3), [2, "c"]);
  assertEquals(judged(["b", "c"]), [3, "record its version"], "the record was lost");
  assertEquals(judged(["b"], 1), [2, "c"]);
  assertEquals(judged(["b", "c"], 1), [3, "record its version"]);
  assertEquals(judged([], 4), [4], "a newer server knows what it has made of it");
});
