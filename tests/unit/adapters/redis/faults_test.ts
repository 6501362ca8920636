import { assert, assertEquals, assertFalse, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { explain } from "../../../../lib/adapters/redis/faults.ts";
import {
  BrokerUnavailableError,
  ConfigurationError,
  GroupMissingError,
  IncorrectUsageError,
} from "../../../../lib/errors.ts";
import { settingsOf } from "./settings.ts";

/** An error as the driver makes it of an error reply. */
function reply(text: string): Error {
  const error = new Error(text);
  error.name = "ReplyError";
  return Object.assign(error, { command: { name: "auth", args: ["secret"] } });
}

const settings = settingsOf();

Deno.test("explain sorts replies by who can help", () => {
  const cases: [string, new (message: string) => Error, string][] = [
    ["NOGROUP No such key 's' or consumer group 'g' in XREADGROUP", GroupMissingError, "create it"],
    [
      "NOGROUP the consumer group this client was blocked on no longer exists",
      GroupMissingError,
      "create it",
    ],
    ["UNBLOCKED the stream key no longer exists", GroupMissingError, "create it"],
    [
      "UNBLOCKED force unblock from blocking operation, instance state changed",
      BrokerUnavailableError,
      "instance",
    ],
    ["READONLY You can't write against a read only replica.", BrokerUnavailableError, "READONLY"],
    ["OOM command not allowed when used memory > 'maxmemory'.", BrokerUnavailableError, "OOM"],
    ["LOADING Redis is loading the dataset in memory", BrokerUnavailableError, "LOADING"],
    ["MISCONF Redis is configured to save RDB snapshots", BrokerUnavailableError, "MISCONF"],
    ["BUSY Redis is busy running a script.", BrokerUnavailableError, "BUSY"],
    ["ERR max number of clients reached", BrokerUnavailableError, "max number"],
    ["WRONGTYPE Operation against a key holding the wrong kind of value", ConfigurationError, "'my::key'"],
    [
      "WRONGPASS invalid username-password pair or user is disabled.",
      ConfigurationError,
      "brokers.default.URI",
    ],
    ["NOAUTH Authentication required.", ConfigurationError, "brokers.default.URI"],
    ["ERR AUTH <password> called without any password configured", ConfigurationError, "brokers.default.URI"],
    ["NOPERM this user has no permissions to run the 'xadd' command", ConfigurationError, "ACL"],
    ["ERR DB index is out of range", ConfigurationError, "no database 3"],
    ["MOVED 3999 127.0.0.1:6381", ConfigurationError, "Cluster"],
  ];
  for (const [text, kind, part] of cases) {
    const error = explain(reply(text), settings, { key: "my::key" });
    assertInstanceOf(error, kind, `${text}: ${error.name}`);
    assertStringIncludes(error.message, part);
    assertStringIncludes(error.message, "edis at redis://:***@h:7/3 (brokers.default)");
  }
});

Deno.test("explain tells why a connection went rather than that it did", () => {
  const closed = explain(new Error("Connection is closed."), settings, {
    reason: "connect ECONNREFUSED h:7",
  });
  assertInstanceOf(closed, BrokerUnavailableError);
  assertEquals(
    closed.message,
    "Redis at redis://:***@h:7/3 (brokers.default) is not available (connect ECONNREFUSED h:7): it is tried again until it answers.",
  );
  assertEquals((closed.cause as Error).message, "Connection is closed.");
});

Deno.test("explain lets our own errors pass and never shows a password or a payload", () => {
  const ours = new IncorrectUsageError("one read at a time");
  assert(explain(ours, settings) === ours);
  for (const text of ["WRONGPASS invalid", "OOM", "NOGROUP", "Connection is closed."]) {
    const shown = Deno.inspect(explain(reply(text), settings), { depth: 10 });
    assertFalse(shown.includes("secret"), shown);
  }
});

Deno.test("sec-redis-echoes-password: what a server repeats is cut, and a command that it does not know is told", () => {
  const raw = settingsOf({ URI: "redis://svc:hunter%202@h:7/3" });
  for (
    const [text, part] of [
      ["ERR unknown command 'auth', with args beginning with: 'svc' 'hunter 2' ", "does not offer AUTH"],
      ["ERR unknown command `auth`, with args beginning with: `svc`, `hunter 2`, ", "does not offer AUTH"],
      [
        "ERR unknown command 'EVALSHA', with args beginning with: '5f' '1' 'hunter 2' ",
        "does not offer EVALSHA",
      ],
      ["ERR unsupported command 'XADD'", "does not offer XADD"],
      ["ERR wrong credentials 'hunter 2' or 'hunter%202'", "wrong credentials '***' or '***'"],
    ] as const
  ) {
    const error = explain(reply(text), raw);
    assertStringIncludes(error.message, part);
    assertFalse(Deno.inspect(error, { depth: 10 }).includes("hunter"), Deno.inspect(error));
    const gone = explain(new Error("Connection is closed."), raw, { reason: text });
    assertFalse(Deno.inspect(gone, { depth: 10 }).includes("hunter"), Deno.inspect(gone));
  }
  assertInstanceOf(explain(reply("ERR unknown command 'auth'"), raw), ConfigurationError);
});
