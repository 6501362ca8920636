/**
 * `[databases.*]`, `[brokers.*]`, `[caches.*]` and `[event_store]` (wire 2.16, 4.1, 5, 6.5; design 6 and 8).
 *
 * The tables are open because a custom adapter may have keys of its own; for the built-in providers unknown
 * keys are refused by `lib/config/rules.ts`.
 *
 * @module
 */
import * as z from "zod";
import { above, atLeast, flag, text, texts, whole } from "../fields.ts";

const provider = () =>
  text().transform((name) => name === "inline" ? "memory" : name)
    .describe("A built-in adapter, one registered in code, or a module path such as './adapter.js'.");

const authorities = () =>
  // An overlay takes back with an empty text what stands in the base.
  z.string().optional().describe(
    "PEM file of the authorities that the server's certificate is checked against; empty: the public ones.",
  );

const password = {
  password_file: z.string().optional().describe(
    "File that holds the password and nothing else, read again for every new connection; empty: none.",
  ),
  password_command: texts().optional().describe(
    "Program and arguments that print the password, run again for every new connection; empty: none.",
  ),
};

/** One table of `[databases]`. */
export const databaseSchema = z.looseObject({
  provider: provider(),
  database_uri: text().optional().describe(
    "postgresql://user:password@host:port/name, sqlite:///relative.db or sqlite:////absolute.db.",
  ),
  tls_ca_file: authorities(),
  ...password,
  schema: text().optional().describe("PostgreSQL schema of every table of ours."),
  managed: flag().default(true).describe("False: tables are somebody else's, and there is no outbox."),
  pool_size: whole(1).default(5).describe("Connections kept open."),
  max_overflow: whole(0).default(10).describe("Connections opened beyond pool_size under load."),
  overflow_idle_seconds: atLeast(0).default(2)
    .describe("Seconds that a connection beyond pool_size waits to be wanted again; 0: closed at once."),
  pool_recycle: whole(-1).default(1800).describe("Seconds after which a connection is replaced; -1: never."),
  pool_timeout: atLeast(0).default(30).describe("Seconds to wait for a connection before giving up."),
  connection_budget: whole(1).optional().describe(
    "Connections that this server's processes may open together, where a pooler or an agreement allows fewer than the database; 'check' judges by it.",
  ),
  pool_pre_ping: flag().default(true).describe("Test an idle connection before it is handed out."),
  commit_group_size: whole(1).default(200)
    .describe("Units of work that may commit in one transaction on PostgreSQL; 1: each in its own."),
});

const redisPool = {
  max_connections: whole(1).default(50).describe("Command and blocking connections together."),
  socket_timeout: above(0).default(5).describe("Seconds without an answer before a connection is replaced."),
  socket_connect_timeout: above(0).default(5).describe("Seconds to wait for a connection to be made."),
  retry_on_timeout: flag().default(false).describe("Send a timed-out command once more."),
};

const uri = () =>
  text().optional().describe(
    "redis://host:port/db, rediss:// (TLS), unix:///path?db=N, redis+sentinel://h:p,h:p/service/db, redis+cluster://h:p,h:p or sqlite:///file.db.",
  );

/** One table of `[brokers]`. */
export const brokerSchema = z.looseObject({
  provider: provider(),
  URI: uri(),
  tls_ca_file: authorities(),
  ...password,
  ...redisPool,
});

/** One table of `[caches]`. */
export const cacheSchema = z.looseObject({
  provider: provider(),
  URI: uri(),
  tls_ca_file: authorities(),
  ...password,
  // An empty text is what ${CACHE_TTL|} leaves behind (wire 5).
  TTL: z.union([above(0), z.literal("")]).transform((ttl) => ttl === "" ? 300 : ttl).default(300)
    .describe("Seconds a value lives."),
  ...redisPool,
});

/** `[event_store]`. */
export const eventStoreSchema = z.looseObject({
  provider: provider(),
  database_uri: text().optional().describe("Where the events are kept."),
  max_connections: whole(1).default(100).describe("Connections at most."),
});
