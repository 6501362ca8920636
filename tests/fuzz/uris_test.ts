import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { parsePostgresUri } from "../../lib/adapters/postgres/connection/uri.ts";
import { parseRedisUri } from "../../lib/adapters/redis/uri.ts";
import { sqlitePath } from "../../lib/adapters/sqlite/file/uri.ts";
import { maskText, maskValue } from "../../lib/config/secrets.ts";
import { ConfigurationError } from "../../lib/errors.ts";
import fc from "../support/property.ts";
import { fuzz } from "./fuzz.ts";
import { mutated } from "./mutations.ts";

/** What no output may hold. */
const PLANTED = "PLANTED";

interface Read {
  readonly password: string | undefined;
  /** What messages and log lines show. */
  readonly shown: string;
}

/** Undefined: a scheme of another adapter's. */
function parsers(uri: string): readonly (readonly [key: string, parse: () => Read])[] {
  const postgres = () => {
    const { password, label } = parsePostgresUri("default", uri, () => "joe");
    return { password, shown: label };
  };
  const redis = () => parseRedisUri(uri, "brokers.default.URI");
  const sqlite = () => ({ password: undefined, shown: sqlitePath(uri, "/data") });
  return [["database_uri", postgres], ["URI", redis], ["database_uri", sqlite]];
}

/** What each adapter makes of it, with everything that it shows meanwhile; refusals are ours. */
function outcomes(uri: string): readonly { readonly read: Read | undefined; readonly shown: string }[] {
  return parsers(uri).map(([, parse]) => {
    try {
      const read = parse();
      return { read, shown: read.shown };
    } catch (error) {
      assertInstanceOf(error, ConfigurationError);
      assert(!error.message.includes("\n"), error.message);
      return {
        read: undefined,
        shown: `${Deno.inspect(error, { depth: 8 })} ${JSON.stringify(error.problems)}`,
      };
    }
  });
}

/** As configuration, and in the middle of a sentence. */
function masked(uri: string): readonly string[] {
  return [
    ...["database_uri", "URI", "url", "note"].map((key) => String(maskValue(key, uri))),
    maskText(uri),
    maskText(uri, { isUri: true }),
    maskText(`Cannot reach '${uri}' now.`),
  ];
}

const schemes = [
  ...["postgresql", "postgres", "postgresql+psycopg2", "redis", "rediss"],
  ...["redis+sentinel", "redis+cluster"],
] as const;
const hosts = fc.constantFrom("h", "db.example:5432", "[::1]:6379", "127.0.0.1", "a:1,b:2", "");
const paths = fc.constantFrom(
  "",
  "/",
  "/0",
  "/shop",
  "/3?db=3",
  "/shop?sslmode=require",
  "/shop?connect_timeout=3",
);
const user = fc.constantFrom("", "user", "us%40er", "us-er.x");
const any = fc.string({ unit: "binary", maxLength: 8 }).filter((text) =>
  text.isWellFormed() && !text.includes("\0")
);

fuzz(
  "a password that is percent-encoded is read as it is and shown nowhere",
  { runs: 6_500, share: 2 / 36 },
  fc.record({
    scheme: fc.constantFrom(...schemes),
    user,
    before: any,
    after: any,
    host: hosts,
    path: paths,
  }),
  ({ scheme, user, before, after, host, path }) => {
    const password = `${before}${PLANTED}${after}`;
    const uri = `${scheme}://${user}:${encodeURIComponent(password)}@${host}${path}`;
    for (const text of masked(uri)) assert(!text.includes(PLANTED), text);
    for (const { read, shown } of outcomes(uri)) {
      assert(!shown.includes(PLANTED), shown);
      if (read?.password !== undefined) assertEquals(read.password, password);
    }
  },
);

const special = fc.array(
  fc.constantFrom(
    ..."@:/?#[]%&=;,+'\"\\ \t|{}<>^`~!$*()é🙂0123456789abc",
    "%2",
    "%zz",
    "@h/",
    "://",
    "&password=",
  ),
  { maxLength: 6 },
).map((parts) => parts.join(""));

/**
 * As it stands: an adapter may take it for something else, so it must be refused where that would be shown.
 * Where an address is masked in a text, only what is around the password tells where it ends.
 */
fuzz(
  "a password with any characters in it is shown by no adapter and in no configuration",
  { runs: 6_100, share: 2 / 36 },
  fc.record({
    scheme: fc.constantFrom(...schemes),
    user,
    before: special,
    after: special,
    host: hosts,
    path: paths,
  }),
  ({ scheme, user, before, after, host, path }) => {
    const uri = `${scheme}://${user}:${before}${PLANTED}${after}@${host}${path}`;
    for (const { shown } of outcomes(uri)) assert(!shown.includes(PLANTED), shown);
    for (const key of ["database_uri", "URI", "url"]) {
      assert(!String(maskValue(key, uri)).includes(PLANTED), `${key}: ${maskValue(key, uri)}`);
    }
  },
);

const TOKENS = [
  ...[
    "@",
    ":",
    "//",
    "/",
    "?",
    "#",
    "[",
    "]",
    "%",
    "%00",
    "%zz",
    "%2F",
    "&",
    "=",
    ",",
    ";",
    "\0",
    "\n",
    "\t",
    " ",
  ],
  ...[
    "?host=",
    "&password=",
    "sslmode=",
    "db=",
    "port=",
    "options=",
    "?db=99999999999",
    ":0",
    ":65536",
    ":http",
  ],
  ...["unix://", "redis+sentinel://", "sqlite:///", ":memory:", "🙂", "\ud800", "xn--", "0x7f.1", "١"],
];
const uris = mutated(
  fc.constantFrom(
    "postgresql://user:pw@host:5432/db?sslmode=verify-full&sslrootcert=/ca.pem",
    "postgresql://h?user=u&password=x",
    "redis://user:pw@host:6379/0",
    "unix://user:pw@/run/redis.sock?db=1",
    "sqlite:////var/data/a.db?timeout=3",
    "sqlite:///a%20b.db",
    "",
  ),
  TOKENS,
);

fuzz(
  "an address is read, or refused in one sentence of ours",
  { runs: 3_200, share: 1 / 36 },
  uris,
  (uri) => {
    outcomes(uri);
    masked(uri);
  },
);

/** What is quadratic takes seconds here, and what is linear some milliseconds. */
const LENGTH = 100_000;
const SLOW_MS = 1_000;

fuzz(
  "reading and masking take no longer than the address is long",
  { runs: 300, share: 1 / 36 },
  fc.record({
    before: fc.oneof(uris, fc.constantFrom("redis://", "postgresql://user:", "postgresql://h/d?")),
    part: fc.oneof(fc.constantFrom(...TOKENS), fc.string({ minLength: 1, maxLength: 4 }), uris),
    after: fc.constantFrom("", "@", "@h/d", " @", "?a=b"),
  }),
  ({ before, part, after }) => {
    const uri = before + part.repeat(Math.ceil(LENGTH / Math.max(1, part.length))) + after;
    const milliseconds = () => {
      const began = performance.now();
      outcomes(uri);
      masked(uri);
      return performance.now() - began;
    };
    // The machine may have been busy with something else.
    assert(Array.from({ length: 3 }).some(() => milliseconds() < SLOW_MS), `too slow: ${uri.slice(0, 200)}`);
  },
);
