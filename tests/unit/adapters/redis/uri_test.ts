import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { parseRedisUri } from "../../../../lib/adapters/redis/uri.ts";
import { ConfigurationError } from "../../../../lib/errors.ts";

const KEY = "brokers.default.URI";

Deno.test("parseRedisUri takes an address apart", () => {
  const plain = { host: "h", port: 6379, db: 0, tls: false, username: undefined, password: undefined };
  const cases: [string, Partial<ReturnType<typeof parseRedisUri>>][] = [
    ["redis://h", { shown: "redis://h:6379/0" }],
    ["redis://h:7/3", { port: 7, db: 3, shown: "redis://h:7/3" }],
    ["redis://h/?db=4", { db: 4, shown: "redis://h:6379/4" }],
    ["rediss://h", { tls: true, shown: "rediss://h:6379/0" }],
    ["redis://:p%40ss@h", { password: "p@ss", shown: "redis://:***@h:6379/0" }],
    ["redis://ann:secret@h", { username: "ann", password: "secret", shown: "redis://ann:***@h:6379/0" }],
    ["redis://ann@h", { username: "ann", shown: "redis://ann@h:6379/0" }],
    ["redis://[::1]:7", { host: "::1", port: 7, shown: "redis://[::1]:7/0" }],
    ["redis:///2", { host: "localhost", db: 2, shown: "redis://localhost:6379/2" }],
  ];
  const socket = { host: "", port: 0 };
  cases.push(
    ["unix:///run/r.sock", { ...socket, path: "/run/r.sock", shown: "unix:///run/r.sock?db=0" }],
    ["unix:///run/r.sock?db=4", { ...socket, path: "/run/r.sock", db: 4, shown: "unix:///run/r.sock?db=4" }],
    ["unix:///a%20b/%23r", { ...socket, path: "/a b/#r", shown: "unix:///a b/#r?db=0" }],
    ["unix://ann:secret@/r", {
      ...{ ...socket, path: "/r", username: "ann", password: "secret" },
      shown: "unix://ann:***@/r?db=0",
    }],
  );
  const set = { places: [{ host: "h", port: 26379 }, { host: "::1", port: 7 }], service: "main" };
  const sentinel = { ...set, username: undefined, password: undefined };
  cases.push(
    ["redis+sentinel://h,[::1]:7/main", {
      ...{ port: 26379, sentinel, shown: "redis+sentinel://h:26379,[::1]:7/main/0" },
    }],
    ["redis+sentinel://ann:s%40@h,[::1]:7/main/4?sentinel_username=a&sentinel_password=b%26", {
      ...{ port: 26379, db: 4, username: "ann", password: "s@" },
      ...{ sentinel: { ...set, username: "a", password: "b&" } },
      shown: "redis+sentinel://ann:***@h:26379,[::1]:7/main/4",
    }],
    ["redis+cluster://:p@h:1,h2", {
      ...{ port: 1, password: "p", cluster: [{ host: "h", port: 1 }, { host: "h2", port: 6379 }] },
      shown: "redis+cluster://:***@h:1,h2:6379",
    }],
    ["redis+cluster://h/0", { cluster: [{ host: "h", port: 6379 }], shown: "redis+cluster://h:6379" }],
  );
  for (const [uri, expected] of cases) {
    assertEquals(parseRedisUri(uri, KEY), { ...plain, ...expected } as never, uri);
  }
});

Deno.test("parseRedisUri refuses what cannot work in one sentence that names the key and no password", () => {
  const cases: [string | undefined, string][] = [
    [undefined, "is missing"],
    ["", "is missing"],
    ["not an address", "is not an address"],
    ["redis://:sec ret/x@h:port", "is not an address"],
    ["http://h", "its scheme is http"],
    ["redis+sentinel://:secret@h:1,h:2", "names no service"],
    ["redis+sentinel://:secret@h:1,h:2/", "names no service"],
    ["redis+sentinel://:secret@h:1,h:x/mymaster/0", "not host:port"],
    ["redis+sentinel://:secret@h:1,,h:2/mymaster/0", "not host:port"],
    ["redis+sentinel://:secret@h:1,h:99999/mymaster/0", "not host:port"],
    ["redis+sentinel://:secret@h:0/mymaster/0", "not host:port"],
    ["redis+sentinel://:secret@/mymaster/0", "names no host"],
    ["redis+sentinel://:secret@h:1/mymaster/orders", "the database 'orders'"],
    ["redis+sentinel://:secret@h:1/mymaster/0/1", "too many parts"],
    ["redis+sentinel://:secret@h:1/mymaster/0?timeout=5", "'timeout'"],
    ["redis+sentinel://:secret@h:1/my%zzmaster/0", "percent-encoded"],
    ["redis+sentinel://:secret@h:1/mymaster/0#1", "%23"],
    ["redis+cluster://:secret@h:1/3", "a Cluster has 0 and no other"],
    ["redis+cluster://:secret@h:1?db=1", "'db'"],
    ["redis+cluster://:secret@", "names no host"],
    ["rediss+cluster://:secret@h:1", "its scheme is rediss+cluster"],
    ["redis://:secret@h:0", "port 0"],
    ["redis://:secret@a,b/0", "several hosts"],
    ["rediss://:secret@a%2Cb:7", "several hosts"],
    ["redis://:secret@h/orders", "the database 'orders'"],
    ["redis://:secret@h/0?ssl_cert_reqs=none", "'ssl_cert_reqs'"],
    ["redis://:secret%zz@h", "percent-encoded"],
    ["redis://:secret@h/0#x", "%23"],
    ["redis://:secret@h/0\n", "ends with a line break"],
    ["redis://:secret@h/0\r\n", "ends with a line break"],
    [" redis://:secret@h/0", "begins with a blank"],
    ["redis://:secret\n@h/0", "has a line break in it"],
    ["unix://:secret@run/r.sock", "no absolute path"],
    ["unix://", "no absolute path"],
    ["unix:///", "no absolute path"],
    ["unix:run/r.sock", "is not an address"],
    ["unix:///run/r.sock?db=orders", "the database 'orders'"],
    ["unix:///run/r.sock?timeout=5", "'timeout'"],
    ["unix:///run/%zz", "percent-encoded"],
    [`unix:///${"r".repeat(107)}`, "107 bytes"],
    ["redis+socket:///run/r.sock", "a socket is unix:///path"],
  ];
  for (const [uri, part] of cases) {
    const error = assertThrows(() => parseRedisUri(uri, KEY), ConfigurationError, part);
    assert(error.message.startsWith(`'${KEY}' `), error.message);
    assertFalse(error.message.includes("secret"), error.message);
  }
});

Deno.test("sec-postgres-password-at: what is before the last @ is user and password, whatever it looks like", () => {
  for (
    const [uri, password] of [
      ["redis://u:123/SECRET@h/0", "123/SECRET"],
      ["redis://u:12?SECRET@h/0", "12?SECRET"],
      ["redis://u:12#SECRET@h/0", "12#SECRET"],
      ["redis://u:a@SECRET@h/0", "a@SECRET"],
      ["redis://u:a SECRET@h/0", "a SECRET"],
    ] as const
  ) {
    const address = parseRedisUri(uri, KEY);
    assertEquals([address.username, address.password, address.host], ["u", password, "h"]);
    assertEquals(address.shown, "redis://u:***@h:6379/0");
  }
});

for (const uri of ["redis://:SECRET", "redis://h:6379/SECRET", "redis://u:12/SECRET", "redis://h/0?SECRET"]) {
  Deno.test(`a refusal quotes nothing of ${uri} that may be a password (M1)`, () => {
    const error = assertThrows(() => parseRedisUri(uri, "brokers.default.URI"), ConfigurationError);
    assert(!error.message.includes("SECRET"), error.message);
  });
}

Deno.test("a socket's path with a NUL character is refused instead of tried for ever (L8f)", () => {
  const error = assertThrows(() => parseRedisUri("unix:///run/a%00b?db=1", KEY), ConfigurationError);
  assert(error.message.includes("NUL"), error.message);
});
