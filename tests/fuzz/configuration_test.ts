import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { parse, stringify } from "@std/toml";
import { join } from "node:path";
import * as z from "zod";
import { renderConfig } from "../../lib/cli/effective_config.ts";
import { loadConfig, type LoadedConfig } from "../../lib/config/load.ts";
import { configSchema } from "../../lib/config/schema.ts";
import { bare } from "../../lib/config/walk.ts";
import { ConfigurationError } from "../../lib/errors.ts";
import fc from "../support/property.ts";
import { variables } from "../unit/config/support.ts";
import { fuzz } from "./fuzz.ts";
import { mutated } from "./mutations.ts";

/** What no output may hold. */
const PLANTED = "PLANTED";

/** Every key of the schema; what users name is called `default` or `Handler`. */
function* keys(schema: z.core.$ZodType, path: readonly string[] = []): Generator<readonly string[]> {
  const outer = bare(schema);
  if (path.length > 0) yield path;
  if (outer instanceof z.ZodObject) {
    for (const [key, value] of Object.entries(outer.shape)) {
      yield* keys(value as z.core.$ZodType, [...path, key]);
    }
  } else if (outer instanceof z.ZodRecord) {
    for (const name of ["default", "Handler"]) yield* keys(outer.valueType, [...path, name]);
  }
}
const KEYS = [...keys(configSchema)];

interface Setting {
  readonly path: readonly string[];
  readonly value: unknown;
}

const ENV: Readonly<Record<string, string>> = {
  SECRET: PLANTED,
  SECRET_URI: `redis://user:${PLANTED}@host:6379/0`,
  PORT: "8080",
  EMPTY: "",
};

const scalars = fc.oneof(
  fc.constantFrom<unknown>(...[
    "",
    "sqlite",
    "postgresql",
    "redis",
    "memory",
    "inline",
    "./adapter.js",
    "stream",
  ]),
  fc.constantFrom<unknown>(...[
    "constructor",
    "__proto__",
    "toString",
    "production",
    "sync",
    "${PORT}",
    "${EMPTY}",
  ]),
  fc.constantFrom<unknown>(...[
    "${PORT|1}",
    "${NOT_SET}",
    "${NOT_SET|}",
    "${",
    "${}",
    "$${PORT}",
    "${PORT}${PORT}",
  ]),
  fc.constantFrom<unknown>(0, -1, 1, 0.5, 1e300, Infinity, NaN, 2 ** 53, true, false, new Date(0)),
  fc.integer(),
  fc.string({ unit: "binary", maxLength: 12 }).filter((text) => text.isWellFormed()),
);
const values = fc.oneof(
  { arbitrary: scalars, weight: 4 },
  fc.array(scalars, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("provider", "a", "default", "constructor", "é.b"), scalars, { maxKeys: 3 }),
);

const settings: fc.Arbitrary<Setting> = fc.record({ path: fc.constantFrom(...KEYS), value: values });

/** Without `${`: what is behind it is the name of a variable. */
const special = fc.array(
  fc.constantFrom(..."@:/?#[]%&=;,+'\"\\ \t|}$é0123ab", "%40", "${PORT}"),
  { maxLength: 4 },
).map((parts) => parts.join(""));

const addresses = fc.oneof(
  fc.tuple(fc.constantFrom("postgresql", "redis", "rediss", "mysql"), special, special).map((
    [scheme, before, after],
  ) => `${scheme}://user:${before}${PLANTED}${after}@host/0`),
  fc.constantFrom(
    "${SECRET_URI}",
    "${NOT_SET|redis://user:PLANTED@h}",
    "redis://:${SECRET}@h",
    "postgresql:/u:PLANTED@h",
  ),
);
const secrets = fc.oneof(
  fc.constantFrom<unknown>(
    PLANTED,
    "${SECRET}",
    "${NOT_SET|PLANTED}",
    "x${SECRET}",
    "${NOT_SET}PLANTED",
    "${PLANTED",
  ),
  fc.constantFrom<unknown>([PLANTED], { user: PLANTED, more: [{ a: PLANTED }] }),
);

/** Places where a secret belongs, and those of a slip of the hand. */
const planted: fc.Arbitrary<Setting> = fc.oneof(
  fc.record({
    path: fc.constantFrom(
      ...[["secret_key"], ["observatory", "token"], ["custom", "password"], ["custom", "mail", "pass"]],
      ...[["custom", "signing_key"], ["custom", "dsn"], ["databases", "default", "password"], [
        "custom",
        "apiKey",
      ]],
      ...[["email_providers", "default", "api_key"], ["brokers", "default", "auth"], [
        "caches",
        "default",
        "passwd",
      ]],
      ...[["server", "secrets"], ["passwrd"], ["server", "passwrd"], ["seckey"], [
        "server",
        "dlq",
        "alert_webhok",
      ]],
    ),
    value: secrets,
  }),
  fc.record({
    path: fc.constantFrom(
      ...[["databases", "default", "database_uri"], ["brokers", "default", "URI"], [
        "caches",
        "default",
        "URI",
      ]],
      ...[["event_store", "database_uri"], ["idempotency", "redis_url"], ["source_uri"], [
        "custom",
        "backup_url",
      ]],
      ...[["server", "uri"], ["databases", "default", "uri"], ["databases", "default", "URI"]],
    ),
    value: addresses,
  }),
);

/** Without them every address is refused before it is printed. */
const PROVIDERS: readonly Setting[] = [
  { path: ["databases", "default", "provider"], value: "postgresql" },
  { path: ["brokers", "default", "provider"], value: "redis" },
  { path: ["caches", "default", "provider"], value: "redis" },
];

function treeOf(all: readonly Setting[]): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const { path, value } of all) {
    let table = tree;
    for (const key of path.slice(0, -1)) {
      const below = Object.hasOwn(table, key) ? table[key] : undefined;
      table = isTable(below) ? below : table[key] = {};
    }
    table[path.at(-1) ?? ""] = value;
  }
  return tree;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Nobody has put a file there, nor two folders up. */
let cwd = "";
Deno.test.beforeAll(async () => {
  const folder = await Deno.makeTempDir({ prefix: "protean-fuzz-" });
  cwd = join(folder, "a", "b", "c");
  await Deno.mkdir(cwd, { recursive: true });
});
Deno.test.afterAll(async () => await Deno.remove(join(cwd, "../../.."), { recursive: true }));

/** What is printed of it, or said when it is refused. */
async function printed(text: string, env?: string): Promise<readonly string[]> {
  let loaded: LoadedConfig;
  try {
    loaded = await loadConfig({
      domain: "shop",
      cwd,
      variables: variables(ENV),
      embedded: { text, file: "domain.toml" },
      ...(env !== undefined && { env }),
    });
  } catch (error) {
    assertInstanceOf(error, ConfigurationError);
    assert(error.problems.length > 0);
    for (const { message } of error.problems) assert(!message.includes("\n"), message);
    return [Deno.inspect(error, { depth: 8, strAbbreviateSize: Infinity }), JSON.stringify(error.problems)];
  }
  const toml = [renderConfig(loaded), renderConfig(loaded, { origin: true })];
  for (const one of toml) parse(one);
  const json = renderConfig(loaded, { json: true });
  assertEquals(JSON.parse(json).status, "pass");
  return [...toml, json, JSON.stringify(loaded.warnings)];
}

fuzz(
  "a configuration is read, or refused in sentences of ours, and printed without its secrets",
  {
    runs: 3_600,
    share: 4 / 36,
  },
  fc.record({
    base: fc.oneof(
      fc.array(fc.oneof(settings, planted), { maxLength: 8 }),
      fc.array(planted, { maxLength: 3 }).map((all) => [...all, ...PROVIDERS]),
    ),
    overlay: fc.oneof(fc.constant([]), fc.array(fc.oneof(settings, planted), { maxLength: 4 })),
    env: fc.constantFrom(undefined, "production", "prod", "constructor"),
  }),
  async ({ base, overlay, env }) => {
    const tree = overlay.length === 0 ? treeOf(base) : { ...treeOf(base), production: treeOf(overlay) };
    for (const text of await printed(stringify(tree), env)) {
      assert(!text.includes(PLANTED), `a secret is shown: ${text.slice(0, 5_000)}`);
    }
  },
);

const TOKENS = [
  ...[
    "[",
    "]",
    "[[",
    "]]",
    "=",
    ".",
    '"',
    '"""',
    "'",
    "#",
    "\n",
    "\r",
    "\t",
    "\0",
    "{",
    "}",
    ",",
    "${",
    "\\u0000",
  ],
  ...[
    "[server]\n",
    "[__proto__]\n",
    "constructor = 1\n",
    "a.b.c = 1\n",
    "1979-05-27T07:32:00Z",
    "inf",
    "nan",
    "0x1",
  ],
  ...["\ufeff", "\ud800", "é", "\u2028", "\x7f", "\x85", '"\\x"', "1_000", "{ a = 1 }"],
];
const files = mutated(
  fc.array(settings, { maxLength: 6 }).map((all) => stringify(treeOf(all))),
  TOKENS,
);

fuzz(
  "a file that is nearly a configuration is read, or refused in sentences of ours",
  { runs: 2_500, share: 2 / 36 },
  files,
  async (
    text,
  ) => {
    await printed(text);
  },
);
