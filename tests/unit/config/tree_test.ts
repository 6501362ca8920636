import { assert, assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { clean, dotted, isTable, leaves, merge, tableAt, valueAt } from "../../../lib/config/tree.ts";

const key = fc.constantFrom("a", "b", "c");
const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>((tie) => ({
  table: fc.dictionary(key, tie("value"), { maxKeys: 3 }),
  value: fc.oneof(
    { depthSize: "small" },
    fc.integer(),
    fc.array(fc.integer(), { maxLength: 2 }),
    tie("table"),
  ),
}));

Deno.test("merge takes every value of the upper tree and those of the lower that it does not hide", () => {
  fc.assert(fc.property(table, table, (base, over) => {
    const merged = merge(base, over);
    for (const { path, value } of leaves(over)) assertEquals(valueAt(merged, path), value);
    for (const { path, value } of leaves(base)) {
      const hidden = path.some((_, length) => {
        const above = valueAt(over, path.slice(0, length + 1));
        return above !== undefined && (!isTable(above) || length === path.length - 1);
      });
      if (!hidden) assertEquals(valueAt(merged, path), value);
    }
    const known = new Set([...leaves(base), ...leaves(over)].map(({ path }) => dotted(path)));
    for (const { path } of leaves(merged)) assert(known.has(dotted(path)));
  }));
});

Deno.test("merge changes neither tree", () => {
  fc.assert(fc.property(table, table, (base, over) => {
    const before = JSON.stringify([base, over]);
    merge(base, over);
    assertEquals(JSON.stringify([base, over]), before);
  }));
});

Deno.test("merge replaces lists as a whole", () => {
  assertEquals(merge({ a: [1, 2], b: { c: 1 } }, { a: [3], b: 4 }), { a: [3], b: 4 });
});

Deno.test("clean drops null, undefined and keys that could reach a prototype", () => {
  const refused: string[] = [];
  const tree = JSON.parse(
    '{"a":null,"b":{"__proto__":{"polluted":1},"c":[{"constructor":{"d":1},"e":2}]},"prototype":1}',
  );
  assertEquals(clean({ ...tree, f: undefined }, (path) => refused.push(dotted(path))), {
    b: { c: [{ e: 2 }] },
  });
  assertEquals(refused.sort(), ["b.__proto__", "b.c[0].constructor", "prototype"]);
  assertEquals(Object.hasOwn(Object.prototype, "polluted"), false);
});

Deno.test("clean refuses what contains itself, and copies what is shared", () => {
  const shared = { a: 1 };
  const tree: Record<string, unknown> = { shared, twice: [shared] };
  tree["again"] = { deeper: [tree] };
  const refused: string[] = [];
  const copy = clean(tree, (path) => refused.push(dotted(path)));
  assertEquals(copy, { shared, twice: [shared], again: { deeper: [] } });
  assertEquals(refused, ["again.deeper[0]"]);
});

Deno.test("valueAt and tableAt look at own keys only", () => {
  assertEquals(valueAt({ a: { b: [1, { c: 2 }] } }, ["a", "b", 1, "c"]), 2);
  assertEquals(valueAt({}, ["constructor"]), undefined);
  assertEquals(valueAt({ a: "text" }, ["a", "length"]), undefined);
  assertEquals(tableAt({ a: 1 }, ["a"]), {});
});

Deno.test("dotted quotes keys that are not bare", () => {
  assertEquals(
    dotted(["server", "subscriptions", "Commands:shop::order:command", "max_retries"]),
    'server.subscriptions."Commands:shop::order:command".max_retries',
  );
  assertEquals(dotted(["a", 0, "b c", 12]), 'a[0]."b c"[12]');
  assertEquals(dotted([]), "");
});
