import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import { parsePostgresUri, type PostgresUri } from "../../../../../lib/adapters/postgres/connection/uri.ts";
import { ConfigurationError } from "../../../../../lib/errors.ts";

const parse = (text: string, env: Record<string, string> = {}) =>
  parsePostgresUri("default", text, (name) => env[name]);

const understood: readonly (readonly [uri: string, expected: Partial<PostgresUri>])[] = [
  ["postgresql://ann:secret@db.example:5433/shop", {
    ...{ user: "ann", password: "secret", database: "shop", label: "ann@db.example:5433/shop" },
    places: [{ host: "db.example", port: 5433 }],
  }],
  ["postgres://ann@db/shop", { places: [{ host: "db", port: 5432 }], sslmode: "prefer", password: "" }],
  ["postgresql+psycopg2://ann@db/shop", { database: "shop" }],
  ["postgresql+asyncpg://ann@db/shop", { database: "shop" }],
  ["postgresql://ann%40example:p%2Fa%25ss%3A@db/sh%20op", {
    ...{ user: "ann@example", password: "p/a%ss:", database: "sh op" },
  }],
  ["postgresql://ann:se:cr/et@db/shop", { password: "se:cr/et", places: [{ host: "db", port: 5432 }] }],
  ["postgresql://ann@db", { database: "ann" }],
  ["postgresql://ann@/shop", { places: [{ host: "localhost", port: 5432 }] }],
  ["postgresql://ann@[::1]:5433/shop", {
    places: [{ host: "::1", port: 5433 }],
    label: "ann@[::1]:5433/shop",
  }],
  ["postgresql://ann@a:1,b:2,c/shop", {
    places: [{ host: "a", port: 1 }, { host: "b", port: 2 }, { host: "c", port: 5432 }],
  }],
  ["postgresql://ann@/shop?host=/run/postgresql&port=5433", {
    places: [{ host: "/run/postgresql", port: 5433 }],
  }],
  // Separated before it is decoded.
  ["postgresql://ann@%2Frun%2Fpostgresql:5433/shop", {
    places: [{ host: "/run/postgresql", port: 5433 }],
  }],
  ["postgresql://ann@h%3A1/shop", { places: [{ host: "h:1", port: 5432 }] }],
  ["postgresql://ann@a%2Cb:1,c/shop", { places: [{ host: "a,b", port: 1 }, { host: "c", port: 5432 }] }],
  ["postgresql://a%3Ab%40c:d%2Fe%3Ff@h/x%2Fy%3Fz", { user: "a:b@c", password: "d/e?f", database: "x/y?z" }],
  ["postgresql://ann@ignored/shop?host=a:1&host=b:2", {
    places: [{ host: "a", port: 1 }, { host: "b", port: 2 }],
  }],
  ["postgresql://ann@/shop?host=a,b&port=1,2", { places: [{ host: "a", port: 1 }, { host: "b", port: 2 }] }],
  ["postgresql:///?user=ann&password=secret&dbname=shop", {
    ...{ user: "ann", password: "secret", database: "shop" },
  }],
  ["postgresql://ann@db/shop?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem", {
    ...{ sslmode: "verify-full", sslrootcert: "/ca.pem", sslcert: "/c.pem", sslkey: "/k.pem" },
  }],
  ["postgresql://ann@db/shop?connect_timeout=3&application_name=shop&options=-c%20work_mem%3D8MB", {
    ...{ connectTimeoutMs: 3000, applicationName: "shop", options: "-c work_mem=8MB" },
  }],
  ["postgresql://ann@db/shop?keepalives=1&client_encoding=utf8", { database: "shop" }],
];

for (const [uri, expected] of understood) {
  Deno.test(`parsePostgresUri understands ${uri}`, () => {
    const parsed: Record<string, unknown> = { ...parse(uri) };
    for (const [key, value] of Object.entries(expected)) assertEquals(parsed[key], value, key);
  });
}

const refused: readonly (readonly [uri: string, trouble: string])[] = [
  ["", "does not begin with postgresql://"],
  ["mysql://ann:secret@db/shop", "does not begin with postgresql://"],
  ["postgresql:/ann:secret@db/shop", "does not begin with postgresql://"],
  ["postgresql://:secret@db/shop", "names no user"],
  ["postgresql://ann:secret@db:http/shop", "'http', which is not a number"],
  ["postgresql://ann:secret@db:0/shop", "'0', which is not a number"],
  ["postgresql://ann:secret@db:65536/shop", "'65536', which is not a number"],
  ["postgresql://ann:secret@[::1/shop", "which is not host:port"],
  ["postgresql://ann:secret@a/shop?port=1,2", "has 2 ports for 1 host:"],
  ["postgresql://ann:secret@a,b,c/shop?port=1,2", "has 2 ports for 3 hosts:"],
  ["postgresql://ann:secret@db/shop?sslmode=sometimes", "sslmode 'sometimes'"],
  ["postgresql://ann:secret@db/shop?sslmod=require", "unknown parameter 'sslmod'"],
  ["postgresql://ann:secret@db/shop?connect_timeout=-1", "connect_timeout '-1'"],
  ["postgresql://ann:secret@db/shop?connect_timeout=soon", "connect_timeout 'soon'"],
  ["postgresql://ann:secret%@db/shop", "broken percent escape"],
  ["postgresql://ann:secret@db/shop\n", "ends with a line break"],
  ["postgresql://ann:secret@db/shop?sslmode=require\r\n", "ends with a line break"],
  ["postgresql://ann:secret\n@db/shop", "has a line break in it"],
  ["\tpostgresql://ann:secret@db/shop", "begins with a blank"],
];

for (const [uri, trouble] of refused) {
  Deno.test(`parsePostgresUri refuses ${JSON.stringify(uri)} in one sentence that keeps the password`, () => {
    const error = assertThrows(() => parse(uri), ConfigurationError, trouble);
    assertStringIncludes(error.message, "database 'default'");
    assertFalse(error.message.includes("secret"));
  });
}

Deno.test("parsePostgresUri takes from the environment what the URI leaves out", () => {
  const env = { PGUSER: "pg", PGPASSWORD: "secret", USER: "login" };
  assertEquals(parse("postgresql://db/shop", env).user, "pg");
  assertEquals(parse("postgresql://db/shop", env).password, "secret");
  assertEquals(parse("postgresql://db", { USER: "login" }).database, "login");
  assertEquals(parse("postgresql://ann:own@db/shop", env).password, "own");
});

/** The lines of `postgres-uris.txt` and what is like them (M1, sec-postgres-password-at). */
for (
  const uri of [
    "postgresql://user:a@SECRET@host/db",
    "postgresql://user:p@ss:SECRET@host:5432/db",
    "postgresql://host/db?user=u&password=pw&SECRET=1",
    "postgresql://host/db?user=u&password=pw&SECRET",
    "postgresql://us?er:SECRET@host/db",
    "postgresql://us/er:SECRET@host/db",
    "postgresql://user@SECRET@host/db",
  ]
) {
  Deno.test(`sec-postgres-password-at: ${uri} is refused and its secret told to nobody`, () => {
    const error = assertThrows(() => parse(uri), ConfigurationError);
    assertFalse(Deno.inspect(error).includes("SECRET"), error.message);
  });
}

Deno.test("sec-postgres-password-at: an @ in the value of a password is a part of it", () => {
  const parsed = parse("postgresql://h?user=u&password=x@SECRET");
  assertEquals([parsed.password, parsed.label], ["x@SECRET", "u@h:5432/u"]);
});

for (
  const uri of [
    "postgresql://ann:SECRET",
    "postgresql://ann:SECRET/shop",
    "postgresql://db/shop?user=ann&password=a&port=SECRET",
    "postgresql://db/shop?user=ann&password=a&sslmode=SECRET",
    "postgresql://db/shop?user=ann&password=a&connect_timeout=SECRET",
    "postgresql://db/shop?user=ann&password=a&target_session_attrs=SECRET",
    "postgresql://ann@[SECRET/shop",
  ]
) {
  Deno.test(`a refusal quotes nothing of ${uri} that may be the rest of a password (M1)`, () => {
    const error = assertThrows(() => parse(uri), ConfigurationError);
    assert(!error.message.includes("SECRET"), error.message);
  });
}
