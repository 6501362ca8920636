/** What PostgreSQL refuses to a whole server is told, and its end (HLT-2). */
import { assertEquals } from "@std/assert";
import { Installation } from "../e2e/server.ts";
import { PostgresServer } from "../support/postgres_server.ts";
import { RedisServer } from "../support/redis_server.ts";
import { ignore, orders, refuse } from "./refusals_rig.ts";
import { serversConfig } from "./shared_config.ts";

Deno.test(
  { name: "PostgreSQL that refuses the work is told within ten seconds, and that it ended", ignore },
  async (t) => {
    await using postgres = await PostgresServer.start({
      hba: [
        "local all all trust",
        "host all postgres 127.0.0.1/32 trust",
        "host all all 127.0.0.1/32 scram-sha-256",
      ],
    });
    await using redis = await RedisServer.start();
    const database = `\${DATABASE|postgresql://app:right@127.0.0.1:${postgres.port}/postgres}`;
    await using installation = await Installation.create(serversConfig({ database, redis: redis.uri }));
    const owner = postgres.uri();
    const setup = await installation.command(["db", "setup"], { env: { DATABASE: owner } });
    assertEquals(setup.code, 0, setup.err);
    await postgres.sql(
      "create role app login password 'right'",
      "grant select, insert, update, delete on all tables in schema public to app",
      "grant usage on all sequences in schema public to app",
    );
    const server = await installation.start();
    const run = (...statements: readonly string[]) => () => postgres.sql(...statements);
    const cut = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'";
    await refuse(t, { installation, server, kind: "providers", owner, handled: orders(postgres) }, [
      {
        what: "a right revoked",
        begin: run("revoke insert on protean_my_domain_order from app"),
        end: run("grant insert on protean_my_domain_order to app"),
        reason: "permission denied",
      },
      {
        what: "a table missing",
        begin: run("alter table protean_processed rename to aside"),
        end: run("alter table aside rename to protean_processed"),
        reason: "protean_processed",
      },
      {
        what: "a password rotated",
        begin: run("alter role app password 'other'", cut),
        end: run("alter role app password 'right'"),
        reason: "password",
      },
      {
        what: "no connection left",
        begin: run("alter role app connection limit 0", cut),
        end: run("alter role app connection limit -1"),
        reason: "too many connections",
      },
    ]);
  },
);
