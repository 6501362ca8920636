import { assert, assertEquals, assertThrows } from "@std/assert";
import { sqlitePath } from "../../../../../lib/adapters/sqlite/file/uri.ts";
import { ConfigurationError } from "../../../../../lib/errors.ts";

const PATHS: readonly (readonly [uri: string, path: string])[] = [
  ["sqlite:///shop.db", "/data/shop.db"],
  ["sqlite:///sub/shop.db", "/data/sub/shop.db"],
  ["sqlite:///../shop.db", "/shop.db"],
  ["sqlite:////var/lib/shop.db", "/var/lib/shop.db"],
  ["sqlite+pysqlite:///shop.db", "/data/shop.db"],
  ["sqlite:///shop.db?timeout=5", "/data/shop.db"],
  ["sqlite:///a%20b%23c%3F%25.db", "/data/a b#c?%.db"],
  ["sqlite:///B%C3%A4r.db", "/data/Bär.db"],
  ["sqlite:///Bär.db", "/data/Bär.db"],
];

for (const [uri, path] of PATHS) {
  Deno.test(`sqlitePath reads ${uri} as ${path}`, () => assertEquals(sqlitePath(uri, "/data"), path));
}

const REFUSED: readonly (readonly [uri: string, reason: string])[] = [
  ["sqlite://", "names no file"],
  ["sqlite:///", "names no file"],
  ["sqlite:///:memory:", "names no file"],
  ["sqlite:///?x=1", "names no file"],
  ["sqlite://host/shop.db", "names a host"],
  ["sqlite:///folder/", "names a folder"],
  ["sqlite:///%E4.db", "broken percent escape"],
  ["sqlite:///%zz.db", "broken percent escape"],
  ["sqlite:///a%00b.db", "NUL character"],
  ["postgresql://localhost/shop", "does not begin with sqlite:///"],
  ["shop.db", "does not begin with sqlite:///"],
  [":memory:", "does not begin with sqlite:///"],
  ["", "does not begin with sqlite:///"],
];

for (const [uri, reason] of REFUSED) {
  Deno.test(`sqlitePath refuses '${uri}', which ${reason}`, () => {
    const error = assertThrows(() => sqlitePath(uri, "/data"), ConfigurationError, reason);
    assertEquals(error.message.includes(`'${uri}'`), true);
  });
}

for (
  const uri of [
    "postgresql://ann:SECRET@host/shop",
    "postgresql://host/shop?password=SECRET",
    "sqlite://ann:SECRET@host/shop.db",
    "\nredis://ann:SECRET@host/0",
    `sqlite://${"SECRET".padStart(400)}`,
  ]
) {
  Deno.test(`sqlitePath refuses ${uri.trim().slice(0, 60)} in one short line that tells no password`, () => {
    const { message } = assertThrows(() => sqlitePath(uri, "/data"), ConfigurationError);
    assertEquals(/SECRET|\n/.test(message), false, message);
    assertEquals(message.length < 400, true);
  });
}

Deno.test("a refusal shows no password of an address that is another adapter's, whole or not", () => {
  for (const uri of ["postgresql://ann:SECRET", "redis://:SECRET", "postgresql://ann:SECRET@h/db"]) {
    const error = assertThrows(() => sqlitePath(uri, "/data"), ConfigurationError);
    assert(!error.message.includes("SECRET"), error.message);
  }
});
