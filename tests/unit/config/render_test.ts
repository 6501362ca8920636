import { parse } from "@std/toml";
import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { renderToml } from "../../../lib/config/render.ts";

Deno.test("renderToml writes values before tables, with a comment behind each value", () => {
  const text = renderToml(
    {
      debug: false,
      server: { health: { port: 8080, host: "::1" }, tick_interval: 0.5, subscriptions: {} },
      custom: { "a b": [1, [2]], tables: [{ x: 1, "y z": { d: new Date("2026-01-02T03:04:05Z") } }] },
      unset: undefined,
    },
    (path) => path.at(-1) === "port" ? "from domain.toml:3" : undefined,
  );
  assertEquals(
    text,
    `debug = false

[server]
tick_interval = 0.5

[server.health]
port = 8080   # from domain.toml:3
host = "::1"

[server.subscriptions]

[custom]
"a b" = [1, [2]]
tables = [{ x = 1, "y z" = { d = 2026-01-02T03:04:05.000Z } }]
`,
  );
});

Deno.test("renderToml aligns comments, but not with long lists", () => {
  const long = Array.from({ length: 20 }, (_, index) => `item ${index}`);
  const lines = renderToml({ a: 1, bcd: 2, long }, () => "default").split("\n");
  assertEquals(lines.slice(0, 2), ["a = 1    # default", "bcd = 2  # default"]);
  assertEquals(lines[2]?.endsWith("]  # default"), true);
});

const key = fc.string({ maxLength: 6 }).filter((name) => name !== "__proto__" && name.isWellFormed());
const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>((tie) => ({
  table: fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof(
    { depthSize: "small" },
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.string().filter((text) => text.isWellFormed()),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("table"),
  ),
}));

Deno.test("renderToml writes what TOML reads back as the same", () => {
  fc.assert(
    fc.property(table, (tree) => {
      // JSON knows neither -0, NaN nor infinities.
      const plain = (value: unknown) =>
        JSON.stringify(
          value,
          (_, item) => typeof item === "number" ? `${Object.is(item, -0) ? 0 : item}` : item,
        );
      const sorted = (value: unknown): unknown =>
        Array.isArray(value)
          ? value.map(sorted)
          : typeof value === "object" && value !== null
          ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, sorted(item)]).sort())
          : value;
      const text = renderToml(tree, () => "comment");
      assertEquals(plain(sorted(parse(text))), plain(sorted(tree)), text);
    }),
    { numRuns: 300 },
  );
});

Deno.test("keys drive no terminal either, and are read back as they were (L8c)", () => {
  const key = "k\u009b31m\u202e\u007f\u2028\u001b";
  const text = renderToml({ [key]: { [key]: 1, list: [{ [key]: 2 }] } }, () => "from a\u001b[31mb");
  assertEquals(/[\p{Cc}\u202e\u2028]/u.test(text.replaceAll("\n", "")), false, JSON.stringify(text));
  assertEquals(JSON.stringify(parse(text)), JSON.stringify({ [key]: { [key]: 1, list: [{ [key]: 2 }] } }));
});
