/**
 * What ends a start wherever it is found: by the room that reads the configuration, by the domain that judges
 * its elements, by an adapter that is told its settings. `check` reports the very same findings; here stands
 * what there is to say about each code.
 *
 * @module
 */
import type { ErrorCode } from "../error_codes.ts";
import { ERROR_CODES } from "../error_codes.ts";
import type { Category, RuleOf } from "./rule.ts";

type Text = readonly [rationale: string, remedy: string, mend: string];

const CONFIGURATION: Partial<Record<ErrorCode, Text>> = {
  CONFIG_NOT_FOUND: [
    "The server would run on the embedded default, which is most likely not what was meant.",
    "Name the file by --config, or put domain.toml beside the domain module.",
    "protean-server check --config ./domain.toml",
  ],
  CONFIG_UNREADABLE: [
    "Nothing starts on a configuration that cannot be read.",
    "Let the server's user read the file.",
    "chmod u=rw,g=r domain.toml",
  ],
  CONFIG_UNTRUSTED: [
    "Who may write the file may run code as the server's user.",
    "Let the server's user or root own the file, and nobody else write it.",
    "chmod go-w domain.toml",
  ],
  CONFIG_MALFORMED: [
    "Nothing starts on a half-read configuration.",
    "Mend the line that the finding names.",
    "protean-server config schema > domain.schema.json",
  ],
  CONFIG_UNKNOWN_KEY: [
    "A misspelt key would leave its default in place without a word.",
    "Write the key that the finding suggests, or remove it.",
    "protean-server config print --origin",
  ],
  CONFIG_MISSING_KEY: [
    "There is nothing that could stand in for it.",
    "Add the key or the table that the finding names.",
    'database_uri = "${DATABASE_URL}"',
  ],
  CONFIG_WRONG_TYPE: [
    "What a value of another type means is anybody's guess.",
    "Write a value of the type that the finding names.",
    "protean-server config schema > domain.schema.json",
  ],
  CONFIG_INVALID_VALUE: [
    "The server cannot work with such a value.",
    "Choose one within the range, or of the list, that the finding names.",
    "protean-server config schema > domain.schema.json",
  ],
  CONFIG_BAD_URI: [
    "Nothing can be reached at such an address.",
    "Write it as the finding shows; special characters of a password are percent-encoded.",
    'URI = "redis://:p%40ssword@redis:6379/0"',
  ],
  CONFIG_TLS_FILE: [
    "Without its certificates no connection is made.",
    "Name a PEM file that the server's user can read.",
    'tls_ca_file = "/etc/ssl/redis-ca.pem"',
  ],
  CONFIG_UNRESOLVED_ENV_VAR: [
    "A text with a hole in it is no address and no password.",
    "Set the variable, or write ${VAR|default}.",
    "export DATABASE_URL=…",
  ],
  CONFIG_UNKNOWN_PROFILE: [
    "A handler would run with other settings than its team believes.",
    "Write one of the names that the finding lists, or add a table to [server.profiles].",
    "[server.profiles.careful]",
  ],
  CONFIG_UNKNOWN_ADAPTER: [
    "There is nobody to ask.",
    "Write one of the names that the finding lists, or the path of a module.",
    'provider = "./kafka.js#KafkaBroker"',
  ],
  ADAPTER_FAILED: [
    "An adapter that cannot be constructed can do nothing.",
    "Mend its constructor; its conformance suite says what is expected of it.",
    "deno test examples/custom-adapter",
  ],
  ADAPTER_INCOMPLETE: [
    "What the server relies on would fail when it is needed.",
    "Write what is missing; its conformance suite says what is expected of it.",
    "deno test examples/custom-adapter",
  ],
  CONFIG_NO_DEFAULT_BROKER: [
    "Subscriptions read from the broker 'default', and it keeps their dead letters.",
    "Name a broker in [brokers.default].",
    "[brokers.default]",
  ],
  CONFIG_NOT_SUPPORTED: [
    "The setting promises something that this server does not keep as it is configured.",
    "Leave it out, or change what the finding names.",
    "protean-server config print --origin",
  ],
  CONFIG_UNKNOWN_ENVIRONMENT: [
    "A slip in PROTEAN_ENV runs the base configuration without a word.",
    "Write the name of the overlay that the finding suggests.",
    "export PROTEAN_ENV=production",
  ],
};

const DEPLOYMENT: Partial<Record<ErrorCode, Text>> = {
  MANIFEST_MALFORMED: [
    "Kubernetes would refuse it too.",
    "Mend the line that the finding names.",
    "kubectl apply --dry-run=client -f deployment.yaml",
  ],
  MANIFEST_TEMPLATE: [
    "What a template says depends on its values.",
    "Render it first, and hand the result to stdin.",
    "helm template . | protean-server check --manifest -",
  ],
  MANIFEST_NO_WORKLOAD: [
    "There is nothing that could be held against the configuration.",
    "Name the file with the Deployment or StatefulSet, or join several files.",
    "kubectl kustomize . | protean-server check --manifest -",
  ],
};

const DOMAIN: Partial<Record<ErrorCode, Text>> = {
  CONFIG_DUPLICATE_ELEMENT: [
    "One of the two would hide the other.",
    "Rename one of them.",
    'domain.event("OrderShipped", …)',
  ],
  CONFIG_NAME_TOO_LONG: [
    "PostgreSQL cuts longer names off, and two tables may become one.",
    "Choose a shorter name.",
    'domain.aggregate("Order", …)',
  ],
  CONFIG_UPCASTER: [
    "An upcaster makes a payload of an older version one of the next.",
    "Let its key be the older version that it reads.",
    "upcasters: { 1: (data) => … }",
  ],
  CONFIG_HANDLES_NOTHING: [
    "It would read and acknowledge everything, and do nothing.",
    "Give it methods, or remove it.",
    "handles: [on(OrderPlaced, …)]",
  ],
  CONFIG_COMMAND_CATCH_ALL: [
    "A command has exactly one handler, which has to name it.",
    "Name every command by on(…).",
    "handles: [on(PlaceOrder, …)]",
  ],
  CONFIG_UNKNOWN_TYPE: [
    "The handler of an event that nobody has declared never runs.",
    "Declare it, or use domain.externalEvent(…) for another domain's event.",
    'domain.externalEvent("Shop.Paid.v1", { schema })',
  ],
  CONFIG_WRONG_KIND: [
    "Commands belong to a command handler, and events to all others.",
    "Move the method to a handler of the right kind.",
    'domain.commandHandler("OrderCommandHandler", …)',
  ],
  CONFIG_NO_CATEGORY: [
    "A handler that reads no stream never runs.",
    "Say which streams it reads.",
    'streamCategories: ["shop::order"]',
  ],
  CONFIG_COMMAND_HANDLED_TWICE: [
    "Nobody can tell whose answer counts.",
    "Leave one method that handles the command.",
    "handles: [on(PlaceOrder, …)]",
  ],
  CONFIG_BATCH: [
    "A batch is one message type with one method, in a handler that can wait for it.",
    "Do what the finding says of the batch.",
    "handles: [onBatch(OrderPlaced, { size: 100, maxWaitMs: 50 }, …)]",
  ],
  CONFIG_SHARED_GROUP: [
    "Each of the two would miss what the other reads.",
    "Give one of them another name or 'consumerGroup'.",
    'consumerGroup: "shop.audit"',
  ],
  CONFIG_ASYNC_SCHEMA: [
    "A payload is judged within a batch, which cannot wait.",
    "Use a schema that validates synchronously.",
    "z.object({ id: z.string() })",
  ],
  CONFIG_SCHEMA_NOT_REPEATABLE: [
    "What was stored could not be read back.",
    "Use a schema that accepts its own JSON output.",
    "z.coerce.date()",
  ],
};

/** What a server says that answers and refuses: at a start, and with `--connect`. */
const SERVERS: Partial<Record<ErrorCode, Text>> = {
  DATABASE_REFUSED: [
    "No waiting mends what the database refuses.",
    "Create the user and the database, give the rights, or mend the database_uri.",
    "createdb shop",
  ],
  DATABASE_TOO_OLD: [
    "Statements of the server need what came later.",
    "Upgrade PostgreSQL to the version that the finding names.",
    "pg_upgrade",
  ],
  DATABASE_POOLER: [
    "Leases, LISTEN and settings belong to a session, and such a pooler lends each transaction another one.",
    "Name the pooler's session port, or PostgreSQL itself.",
    'database_uri = "${DATABASE_URL}"',
  ],
  POSTGRES_ADDRESS: [
    "Whatever answers there is no database.",
    "Mend host and port of the database_uri.",
    'database_uri = "${DATABASE_URL}"',
  ],
  POSTGRES_TLS: [
    "The connection cannot be made safe as it is asked for.",
    "Mend the certificates, or 'sslmode' and 'sslrootcert' of the database_uri.",
    "?sslmode=verify-full&sslrootcert=/etc/ssl/db-ca.pem",
  ],
  REDIS_TOO_OLD: [
    "Streams as they are used here came with Redis 7.0.",
    "Upgrade Redis to 7.0 or later.",
    "redis-server --version",
  ],
  REDIS_WRONG_PASSWORD: [
    "No waiting mends a wrong password.",
    "Mend user and password of the URI.",
    'URI = "${REDIS_URL}"',
  ],
  REDIS_NO_PERMISSION: [
    "The user may not do what the work needs.",
    "Give the user the commands and keys that the finding names.",
    "redis-cli ACL SETUSER shop +@stream",
  ],
  REDIS_WRONG_DATABASE: [
    "Redis has no database of that number.",
    "Write another number into the URI; a Cluster has 0 alone.",
    'URI = "redis://redis:6379/0"',
  ],
  REDIS_TLS: [
    "The server's certificate is not to be trusted.",
    "Name its authority by 'tls_ca_file', or the host by the name that the certificate has.",
    'tls_ca_file = "/etc/ssl/redis-ca.pem"',
  ],
  REDIS_CLUSTER: [
    "The server is part of a Cluster, whose keys are spread.",
    "Name the Cluster as one, or another Redis.",
    'URI = "redis+cluster://redis-0:6379,redis-1:6379"',
  ],
};

/** One rule for every code above. */
export const loadingRules: readonly RuleOf<"loading">[] = [
  ...rulesOf("configuration", CONFIGURATION),
  ...rulesOf("domain", DOMAIN),
  ...rulesOf("servers", SERVERS),
  ...rulesOf("deployment", DEPLOYMENT),
];

function rulesOf(category: Category, texts: Partial<Record<ErrorCode, Text>>): RuleOf<"loading">[] {
  return (Object.entries(texts) as [ErrorCode, Text][]).map(([code, [rationale, remedy, mend]]) => ({
    ...{ code, category, rationale, remedy, mend },
    level: ERROR_CODES[code][0] === "diagnostic" ? "warning" : "error",
    stage: "loading",
    fires: ERROR_CODES[code][1],
  }));
}
