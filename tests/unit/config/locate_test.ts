import { parse, stringify } from "@std/toml";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { locate } from "../../../lib/config/locate.ts";
import { dotted, isTable, type Path } from "../../../lib/config/tree.ts";

/**
 * Asserts that exactly these keys stand on these lines; `text` begins with a line end, so its first line is
 * 2.
 */
function assertLines(text: string, expected: Record<string, number>): void {
  parse(text); // the scanner relies on it
  assertEquals(Object.fromEntries(locate(text)), expected);
}

Deno.test("locate finds keys, tables and dotted keys", () => {
  assertLines(
    `
a = 1
b.c = 2 # b is implied here
[d]

e = "x"
[d.f.g]
h = 1
`,
    { a: 2, b: 3, "b.c": 3, d: 4, "d.e": 6, "d.f": 7, "d.f.g": 7, "d.f.g.h": 8 },
  );
});

Deno.test("locate finds quoted keys, with dots, escapes and spaces around them", () => {
  assertLines(
    `
[server.subscriptions."Commands:shop::order:command"]
max_retries = 3
[ 'a.b' . "c\\u0064 \\"" ]
"" = 1
'x' . y = 2
`,
    {
      server: 2,
      "server.subscriptions": 2,
      'server.subscriptions."Commands:shop::order:command"': 2,
      'server.subscriptions."Commands:shop::order:command".max_retries': 3,
      '"a.b"': 4,
      '"a.b"."cd \\""': 4,
      '"a.b"."cd \\"".""': 5,
      '"a.b"."cd \\"".x': 6,
      '"a.b"."cd \\"".x.y': 6,
    },
  );
});

Deno.test("locate is not misled by strings that look like TOML", () => {
  assertLines(
    `
a = "# [no] b = 1 \\" ] }"
b = 'C:\\'
c = """
[no]
d = 1 \\""" ""
"""
d = '''
''# = [ \\'''
e = """"quoted""""
f = ""
g = ''
`,
    { a: 2, b: 3, c: 4, d: 8, e: 10, f: 11, g: 12 },
  );
});

Deno.test("locate finds items of lists and keys of inline tables over several lines", () => {
  assertLines(
    `
a = [ 1, # one, ]
  2,
  [ 3 ], { b = 4, "c" = [5] },
]
d = { e.f = 1, g = { h = "}" } }
i = []
j = {}
k = 2026-01-01T00:00:00Z
`,
    {
      a: 2,
      "a[0]": 2,
      "a[1]": 3,
      "a[2]": 4,
      "a[2][0]": 4,
      "a[3]": 4,
      "a[3].b": 4,
      "a[3].c": 4,
      "a[3].c[0]": 4,
      d: 6,
      "d.e": 6,
      "d.e.f": 6,
      "d.g": 6,
      "d.g.h": 6,
      i: 7,
      j: 8,
      k: 9,
    },
  );
});

Deno.test("locate counts the tables of an array and finds tables inside the last one", () => {
  assertLines(
    `
[[fruit]]
name = "apple"
[fruit.size]
cm = 7
[[fruit.kinds]]
name = "red"
[[fruit]]
[[fruit.kinds]]
[[fruit.kinds]]
name = "long"
`,
    {
      fruit: 2,
      "fruit[0]": 2,
      "fruit[0].name": 3,
      "fruit[0].size": 4,
      "fruit[0].size.cm": 5,
      "fruit[0].kinds": 6,
      "fruit[0].kinds[0]": 6,
      "fruit[0].kinds[0].name": 7,
      "fruit[1]": 8,
      "fruit[1].kinds": 9,
      "fruit[1].kinds[0]": 9,
      "fruit[1].kinds[1]": 10,
      "fruit[1].kinds[1].name": 11,
    },
  );
});

Deno.test("locate understands Windows line ends and a last line without one", () => {
  assertLines("a = 1\r\n\r\n[b]\r\nc = '''x\r\ny'''\r\nd = 2", { a: 1, b: 3, "b.c": 4, "b.d": 6 });
});

Deno.test("locate ends, with few lines or an error, on text that is not TOML", () => {
  const outcome = (text: string) => {
    try {
      return locate(text).size;
    } catch (error) {
      assert(error instanceof SyntaxError, text);
      return 0;
    }
  };
  for (const text of ["[", "[[a", "a", "= = =", "a = [", "a = {,}", '"', "a = '''", "]]]]", "a = [,,,"]) {
    assert(outcome(text) <= 4, text);
  }
  fc.assert(fc.property(fc.stringMatching(/^[a\n ="'[\]{},.#\\]{0,40}$/), (text) => {
    assert(outcome(text) <= 100);
  }));
});

const key = fc.oneof(fc.stringMatching(/^[A-Za-z0-9_-]{1,6}$/), fc.string({ maxLength: 5 }))
  .filter((name) => name !== "__proto__" && name.isWellFormed());
const scalar = fc.oneof(
  fc.integer({ min: -1e9, max: 1e9 }),
  fc.boolean(),
  fc.string({ maxLength: 8 }).filter((text) => text.isWellFormed()),
  fc.constant('"""\n[x]\na = 1'),
);
const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>((tie) => ({
  table: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
  value: fc.oneof(
    { depthSize: "small" },
    scalar,
    tie("table"),
    fc.array(scalar, { maxLength: 3 }),
    fc.array(tie("table"), { maxLength: 3 }),
  ),
}));

function* paths(value: unknown, path: Path = []): Generator<Path> {
  if (path.length > 0) yield path;
  if (isTable(value)) {
    for (const [name, item] of Object.entries(value)) {
      yield* paths(item, [...path, name]);
    }
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* paths(item, [...path, index]);
  }
}

Deno.test("locate finds every key of any document, and nothing else", () => {
  fc.assert(
    fc.property(table, (document) => {
      const text = stringify(document);
      const expected = [...paths(parse(text))].map(dotted);
      assertEquals([...locate(text).keys()].sort(), expected.sort(), text);
    }),
    { numRuns: 500 },
  );
});

Deno.test("locate names the line on which a value changes, wherever it stands", () => {
  fc.assert(
    fc.property(table, fc.string({ maxLength: 5 }), (document, name) => {
      fc.pre(name !== "__proto__" && name.isWellFormed() && !Object.hasOwn(document, name));
      const before = stringify(document);
      const text = `${before}\n# comment\n['${"marker"}'.${JSON.stringify(name)}]\n\nhere = 1\n`;
      fc.pre(!Object.hasOwn(document, "marker"));
      const expected = text.split("\n").lastIndexOf("here = 1") + 1;
      assertEquals(locate(text).get(dotted(["marker", name, "here"])), expected, text);
    }),
    { numRuns: 300 },
  );
});
