/**
 * Connections: how many one process of ours needs at most, and how many the server has to give. For `check`
 * (CFG-2), which adds them up.
 *
 * @module
 */
import type { ConnectionNeed, ServerFacts } from "../ports.ts";
import type { Connection } from "./connection/connection.ts";
import type { PostgresSettings } from "./settings.ts";

/** As `provider.ts` opens them: the pool of units of work, and what stands beside it. */
export function connectionNeed(
  { uri, poolSize, maxOverflow }: PostgresSettings,
  { outboxProcessors }: { readonly outboxProcessors: number },
): ConnectionNeed {
  return {
    server: uri.places.map(({ host, port }) => `${host}:${port}`).join(","),
    pool: poolSize,
    overflow: Math.max(0, maxOverflow),
    beside: [
      { count: 1, what: "hints and pings" },
      {
        count: outboxProcessors,
        what: outboxProcessors === 1 ? "the outbox processor" : "outbox processors",
      },
      { count: 1, what: "locks" },
      { count: 1, what: "asking about silent connections" },
    ].filter(({ count }) => count > 0),
  };
}

/** What our own connections call themselves begins with this. */
const OURS = "protean";

/**
 * `reserved_connections` came with PostgreSQL 16. Whoever may not see the sessions of others still sees the
 * names of their applications.
 */
const FACTS = `select
  current_setting('server_version') as version,
  current_setting('max_connections')::int as max,
  current_setting('superuser_reserved_connections')::int +
    coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0) as reserved`;

const OTHERS =
  `select coalesce(nullif(application_name, ''), '(no name)') as application, count(*)::int as connections
  from pg_stat_activity
  where pid <> pg_backend_pid() and usesysid is not null
    and coalesce(backend_type, 'client backend') = 'client backend'
    and application_name not like '${OURS}%' and application_name <> current_setting('application_name')
  group by 1 order by 2 desc, 1`;

export async function serverFacts(connection: Connection): Promise<ServerFacts> {
  const [facts] = await connection.run(FACTS, [], "simple");
  const others = await connection.run(OTHERS, [], "simple");
  return {
    product: "PostgreSQL",
    version: String(facts?.["version"]),
    maxConnections: Number(facts?.["max"]),
    reservedConnections: Number(facts?.["reserved"]),
    others: others.map(({ application, connections }) => ({
      application: String(application),
      connections: Number(connections),
    })),
  };
}
