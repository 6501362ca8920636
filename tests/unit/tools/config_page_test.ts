import { assert, assertEquals } from "@std/assert";
import { complete, type Surroundings } from "../../../lib/config/defaults.ts";
import { COMPLETED, DECIDED_LATER } from "../../../lib/config/derived_defaults.ts";
import { ineffective } from "../../../lib/config/no_effect.ts";
import { isPythonOnly } from "../../../lib/config/python_only.ts";
import { isTable, type Table } from "../../../lib/config/tree.ts";
import { configKeyNames } from "../../../tools/config_page.ts";
import { configTables } from "../../../tools/config_keys.ts";
import { type History, recordOf, since } from "../../../tools/since.ts";

/** Dotted keys of a tree with `*` for names of the user's. */
function keysOf(tree: Table, path: readonly string[] = []): string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const own = [...path, ["databases", "brokers", "caches"].includes(path.join(".")) ? "*" : key];
    return isTable(value) ? keysOf(value, own) : [own.join(".")];
  });
}

Deno.test("defaults that are completed are those that the reference explains", () => {
  const somewhere: Surroundings = { domain: "shop", kubernetes: "10.0.0.1", release: "7" };
  const redis = { provider: "redis", URI: "redis://h:1/0", tls_ca_file: "ca.pem" };
  const trees: readonly Table[] = [
    {},
    { server: { drain_timeout: 5 } },
    { brokers: { default: redis } },
  ];
  const completed = new Set<string>();
  for (const tree of trees) {
    const given = new Set(keysOf(tree));
    for (const key of keysOf(complete(tree, somewhere))) if (!given.has(key)) completed.add(key);
    // What the broker's table has, its cache's is given.
    if (tree["brokers"]) completed.add("caches.*.tls_ca_file");
  }
  assertEquals([...completed].sort(), Object.keys(COMPLETED).sort());
});

Deno.test("every default that is explained is a key's", () => {
  const names = configKeyNames();
  const explained = [...Object.keys(COMPLETED), ...Object.keys(DECIDED_LATER)];
  assertEquals(explained.filter((key) => !names.includes(key)), []);
});

Deno.test("every key that does something says what", () => {
  const silent = configTables().flatMap(({ keys }) => keys)
    .filter(({ table, name }) => !isPythonOnly([...table, name]) && !ineffective([...table, name]))
    .filter(({ description }) => description === "")
    .map(({ table, name }) => [...table, name].join("."));
  assertEquals(silent, []);
});

Deno.test("a key is as old as the release that first recorded it", () => {
  const log = (unreleased: string, ...releases: string[]) =>
    `# Changelog\n\n## [Unreleased]\n\n${unreleased}${
      releases.map((one) => `\n## [${one}]\n\n- Old.\n`).join("")
    }`;
  const before: History = { version: "0.1.0", changelog: log("- New.\n"), recorded: {} };
  assertEquals([since("a", before), recordOf(["a"], before)], ["0.1.0", {}]);
  const released = { ...before, changelog: log("", "0.1.0") };
  const recorded = recordOf(["b", "a"], released);
  assertEquals(recorded, { a: "0.1.0", b: "0.1.0" });
  const after: History = { version: "0.1.0", changelog: log("- Newer.\n", "0.1.0"), recorded };
  assertEquals([since("a", after), since("c", after), recordOf(["a", "c"], after)], [
    "0.1.0",
    "the next",
    recorded,
  ]);
  const next: History = { version: "0.2.0", changelog: log("", "0.2.0", "0.1.0"), recorded };
  assertEquals([since("c", next), recordOf(["a", "c"], next)], ["0.2.0", { a: "0.1.0", c: "0.2.0" }]);
  assert(!("b" in recordOf(["a"], next)));
});

Deno.test("a version that is out has its keys recorded: 'deno task docs' does it", async () => {
  const { history } = await import("../../../tools/since.ts");
  const past = history();
  assertEquals(past.recorded, recordOf(configKeyNames(), past));
});
