/**
 * The `domain.toml` that moves a domain from the embedded default to servers.
 *
 * @module
 */

/** `extra`: further keys of each section, one a line. */
export function serversConfig(
  { database, redis, databaseExtra = "", redisExtra = "" }: {
    readonly database: string;
    readonly redis: string;
    readonly databaseExtra?: string;
    readonly redisExtra?: string;
  },
): string {
  return `
[databases.default]
provider = "postgresql"
database_uri = "${database}"
${databaseExtra}

[brokers.default]
provider = "redis"
URI = "${redis}"
${redisExtra}
`;
}
