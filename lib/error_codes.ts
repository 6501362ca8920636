/**
 * Every code that an error or a diagnostic of this server carries. Codes are stable: scripts and dashboards
 * key on them. The same fault has the same code whatever the backend; a fault that only one backend knows is
 * named after it.
 *
 * A test compares this list with the code base, so a code that is used must be listed, and the other way
 * round.
 *
 * @module
 */

/**
 * What carries the code: a class of `errors.ts` or of the command line, or a diagnostic that is never thrown.
 */
export type CarriedBy =
  | "BrokerUnavailableError"
  | "CommitRefusedError"
  | "ConfigurationError"
  | "DeserializationError"
  | "DomainLoadError"
  | "DuplicateMessageError"
  | "Error"
  | "ExpectedVersionError"
  | "FencedError"
  | "GroupMissingError"
  | "IncorrectUsageError"
  | "MessageConflictError"
  | "NotSupportedError"
  | "ObjectNotFoundError"
  | "PoolTimeoutError"
  | "ProteanError"
  | "ProviderUnavailableError"
  | "RefusedError"
  | "UnavailableError"
  | "UnhandledMessageError"
  | "UsageError"
  | "ValidationError"
  | "diagnostic";

/** Code → what carries it, and what it means. */
export const ERROR_CODES = {
  // The classes' own, where no closer one is known.
  PROTEAN_ERROR: ["ProteanError", "A failure without a code of its own."],
  CONFIGURATION: ["ConfigurationError", "The configuration or the declared elements cannot work as written."],
  DOMAIN_LOAD: ["DomainLoadError", "The domain module cannot be found or loaded."],
  VALIDATION: ["ValidationError", "A schema, or the database, refused data."],
  MESSAGE_TOO_LARGE: ["ValidationError", "A message is larger than max_message_bytes allows."],
  EXPECTED_VERSION: [
    "ExpectedVersionError",
    "Somebody else saved the same aggregate, view row or stream first.",
  ],
  OBJECT_NOT_FOUND: ["ObjectNotFoundError", "No stored object has the id that was asked for."],
  DESERIALIZATION: ["DeserializationError", "Bytes that are no message of this domain."],
  UNAVAILABLE: ["UnavailableError", "A backend does not answer now and may answer later."],
  PROVIDER_UNAVAILABLE: ["ProviderUnavailableError", "A database does not answer."],
  BROKER_UNAVAILABLE: ["BrokerUnavailableError", "A broker does not answer, is full, or is read-only."],
  POOL_TIMEOUT: ["PoolTimeoutError", "No connection came free in time."],
  MESSAGE_UNHANDLED: [
    "UnhandledMessageError",
    "A message of a shared group that neither this domain nor a live consumer of another program handles.",
  ],
  GROUP_MISSING: ["GroupMissingError", "A stream or its consumer group does not exist any more."],
  DUPLICATE_MESSAGE: ["DuplicateMessageError", "The effect of the message exists already."],
  MESSAGE_CONFLICT: ["MessageConflictError", "Another message with the same id was handled before."],
  EVENT_PROCESSING: [
    "ProteanError",
    'Handlers of events that were committed have failed, with event_processing = "sync".',
  ],
  DEAD_LETTER: ["ProteanError", "A handler sends its message to the dead letters at once."],
  DISCARD: ["ProteanError", "A handler wants its message acknowledged and no more."],
  RETRY_AFTER: ["ProteanError", "A handler wants its message again later."],
  COMMIT_REFUSED: ["CommitRefusedError", "The message was claimed by another process, or cut by the drain."],
  NOT_SUPPORTED: ["NotSupportedError", "The adapter, or this version, cannot do what was asked."],
  INCORRECT_USAGE: ["IncorrectUsageError", "The public API was used wrongly."],
  USAGE: ["UsageError", "The command line was used wrongly."],
  UNEXPECTED: ["Error", "An error that is none of ours: a defect."],

  // domain.toml.
  CONFIG_NOT_FOUND: [
    "ConfigurationError",
    "The file that was named does not exist; a warning where none was named.",
  ],
  CONFIG_UNREADABLE: ["ConfigurationError", "The file cannot be read."],
  CONFIG_UNTRUSTED: ["ConfigurationError", "Somebody else may have written the file; a warning in a parent."],
  CONFIG_MALFORMED: ["ConfigurationError", "The file is not valid TOML in UTF-8."],
  CONFIG_UNKNOWN_KEY: ["ConfigurationError", "Nobody reads a key of this name at this place."],
  CONFIG_MISSING_KEY: ["ConfigurationError", "A key that is needed is not set."],
  CONFIG_WRONG_TYPE: ["ConfigurationError", "A value of another type than the key has."],
  CONFIG_INVALID_VALUE: ["ConfigurationError", "A value outside of what the key allows."],
  CONFIG_BAD_URI: ["ConfigurationError", "The address of a database, broker or cache cannot be right."],
  CONFIG_TLS_FILE: ["RefusedError", "A file of certificates or of a key cannot be used."],
  CONFIG_UNRESOLVED_ENV_VAR: ["ConfigurationError", "An environment variable that a value needs is not set."],
  CONFIG_UNKNOWN_PROFILE: ["ConfigurationError", "No subscription profile has this name."],
  CONFIG_UNLOADABLE_FUNCTION: ["ConfigurationError", "A function that domain.toml names cannot be loaded."],
  CONFIG_UNKNOWN_ADAPTER: ["ConfigurationError", "No adapter has this name."],
  CONFIG_NO_DEFAULT_BROKER: [
    "ConfigurationError",
    "Subscriptions read from the broker 'default', which is missing.",
  ],
  CONFIG_NO_EVENT_STORE: [
    "ConfigurationError",
    "A subscription is to read the event store of a domain without one; a diagnostic where a profile says so.",
  ],
  CONFIG_NOT_SUPPORTED: ["ConfigurationError", "A valid setting that this version does not serve."],
  CONFIG_NO_EFFECT: ["diagnostic", "A valid setting that has no effect in this version."],
  CONFIG_UNKNOWN_ENVIRONMENT: ["diagnostic", "PROTEAN_ENV names no overlay, and one has nearly that name."],
  CONFIG_SHARED_CATEGORY: [
    "diagnostic",
    "Events of ours go to a category that another program reads, which must register their types.",
  ],
  CONFIG_SHORT_MARKS: [
    "diagnostic",
    "Marks of idempotent handlers are gone while a dead letter may still be replayed.",
  ],
  CONFIG_UNBOUNDED_STREAM: ["diagnostic", "Nothing trims a stream."],
  CONFIG_UNKNOWN_HANDLER: ["diagnostic", "A table of [server.subscriptions] is about no handler."],

  CONFIG_PYTHON_ONLY: ["diagnostic", "A key that Python alone reads."],

  // What `check` finds.
  LOW_POOL_SIZE: ["diagnostic", "A database has fewer connections than production needs."],
  POOL_EXCEEDS_DATABASE_LIMIT: [
    "diagnostic",
    "All processes together may open more connections than there are.",
  ],
  REDIS_EXCEEDS_MAXCLIENTS: [
    "diagnostic",
    "All processes together may open more connections than Redis takes.",
  ],
  REDIS_EVICTS: ["diagnostic", "The Redis of a broker deletes messages when it is full."],
  REDIS_NEARLY_FULL: ["diagnostic", "Redis uses more than 0.8 of its memory."],
  DEPENDENCY_UNREACHABLE: ["diagnostic", "A server does not answer."],
  EMBEDDED_IN_PRODUCTION: ["diagnostic", "An adapter lives in one process or file, in production."],
  DLQ_MAINTENANCE_OFF: ["diagnostic", "Dead letters are neither trimmed nor watched, in production."],
  HEALTH_UNREACHABLE: ["diagnostic", "No probe from outside arrives at the health listener."],
  PLAINTEXT_SECRET: ["diagnostic", "A password or token stands in the configuration itself."],
  EVENT_STORE_MULTIWORKER: ["diagnostic", "Several readers of an event store do not see each other's lock."],
  UNHANDLED_EVENT: ["diagnostic", "Nobody handles an event."],
  UNUSED_COMMAND: ["diagnostic", "Nobody handles a command."],
  NOBODY_PUBLISHES: ["diagnostic", "A handler reads a category that nobody publishes."],
  EVENT_NOT_READ: ["diagnostic", "A handler does not read the category of an event that it handles."],
  PUBLISHED_NO_EXTERNAL_BROKER: ["diagnostic", "Published events go to no other domain's broker."],

  // A Kubernetes manifest that `check --manifest` reads.
  MANIFEST_MALFORMED: ["ConfigurationError", "The manifest is not YAML."],
  MANIFEST_TEMPLATE: ["ConfigurationError", "The manifest is a template, which has to be rendered first."],
  MANIFEST_NO_WORKLOAD: ["ConfigurationError", "The manifest deploys nothing."],
  MANIFEST_PROBES: ["diagnostic", "Probes that are missing, or ask for what the server does not answer."],
  MANIFEST_PORTS: ["diagnostic", "Probes ask at a port where the server does not listen."],
  MANIFEST_GRACE_PERIOD: ["diagnostic", "The pod is killed before the drain can have ended."],
  MANIFEST_PRE_STOP: ["diagnostic", "A preStop hook runs a program that the image does not have."],
  MANIFEST_ROOT_WRITABLE: ["diagnostic", "The root file system of the container can be written to."],
  MANIFEST_NOT_WRITABLE: ["diagnostic", "SQLite files are to be written where nothing can be written."],
  MANIFEST_EMBEDDED_REPLICAS: ["diagnostic", "Several replicas, each with a database of its own."],

  // The elements of a domain.
  CONFIG_DUPLICATE_ELEMENT: ["ConfigurationError", "Two elements share a name, a table or a category."],
  CONFIG_NAME_TOO_LONG: ["ConfigurationError", "An element's table would have too long a name."],
  CONFIG_UPCASTER: ["ConfigurationError", "An upcaster from a version that is not older."],
  CONFIG_HANDLES_NOTHING: ["ConfigurationError", "A handler without methods."],
  CONFIG_COMMAND_CATCH_ALL: ["ConfigurationError", "A command handler with onAny."],
  CONFIG_UNKNOWN_TYPE: ["ConfigurationError", "A handler of a message that is not declared."],
  CONFIG_WRONG_KIND: ["ConfigurationError", "An event in a command handler, or a command elsewhere."],
  CONFIG_NO_CATEGORY: ["ConfigurationError", "A handler that reads no stream."],
  CONFIG_COMMAND_HANDLED_TWICE: ["ConfigurationError", "A command that several methods handle."],
  CONFIG_BATCH: ["ConfigurationError", "A batch handler that cannot be."],
  CONFIG_SHARED_GROUP: ["ConfigurationError", "Two handlers with one consumer group on one category."],
  CONFIG_ASYNC_SCHEMA: ["ConfigurationError", "A schema that validates asynchronously."],
  CONFIG_SCHEMA_NOT_REPEATABLE: ["ConfigurationError", "A schema that refuses what it has made itself."],
  CONFIG_FOREIGN_EVENT: ["ConfigurationError", "An aggregate raised an event of another one."],

  // Passwords that change.
  PASSWORD_FILE: ["RefusedError", "The file with a password cannot be used."],
  PASSWORD_COMMAND: ["RefusedError", "The command that tells a password cannot be run."],

  // Databases.
  DATABASE_TABLE_MISSING: ["RefusedError", "A table does not exist; `db setup` creates it."],
  DATABASE_TABLE_DIFFERS: ["RefusedError", "A table of that name is not this server's."],
  DATABASE_REFUSED: ["RefusedError", "The database refuses user, password, rights, schema or name."],
  DATABASE_SCHEMA_NEWER: [
    "ConfigurationError",
    "A newer server has changed the tables so that this one cannot work with them.",
  ],
  DATABASE_SCHEMA_OLDER: ["ConfigurationError", "Tables wait for `db upgrade`."],
  DATABASE_UPGRADE_FAILED: ["ConfigurationError", "A step of an upgrade was refused and undone."],
  DATABASE_POOLER: ["RefusedError", "A transaction pooler stands before the database."],
  DATABASE_TOO_OLD: ["ConfigurationError", "The database server is older than what is supported."],
  DATABASE_NAME_TOO_LONG: ["ConfigurationError", "A table name is longer than PostgreSQL keeps."],
  POSTGRES_ADDRESS: ["ConfigurationError", "What answers at the address is not PostgreSQL."],
  POSTGRES_TLS: ["RefusedError", "TLS to PostgreSQL is not possible as configured."],
  SQLITE_FILE: ["ConfigurationError", "The database file cannot be used."],
  TRANSACTION_ABORTED: ["ProteanError", "A statement before failed, so the unit of work was rolled back."],
  SQL: ["ProteanError", "A statement is wrong, or a constraint refused it."],
  ADAPTER_FAILED: [
    "ConfigurationError",
    "The constructor of an adapter has thrown, or its connectionNeed().",
  ],
  ADAPTER_INCOMPLETE: ["ConfigurationError", "An adapter lacks a method or property that is needed."],
  CLOSE_FAILED: ["ProteanError", "An adapter did not close cleanly."],

  // Redis.
  REDIS_TOO_OLD: ["ConfigurationError", "The Redis server is older than what is supported."],
  REDIS_WRONG_PASSWORD: ["RefusedError", "Redis refuses user or password."],
  REDIS_NO_PERMISSION: ["RefusedError", "The ACL of the Redis user lacks a permission."],
  REDIS_WRONG_DATABASE: ["RefusedError", "Redis has no database of that number."],
  REDIS_WRONG_TYPE: ["RefusedError", "A key of ours holds something else."],
  REDIS_STREAM_EXHAUSTED: ["RefusedError", "A stream of Redis has used up its ids."],
  REDIS_COMMAND_MISSING: ["RefusedError", "Redis, or what stands before it, does not offer a command."],
  REDIS_TLS: ["RefusedError", "The certificate of a Redis server fails the checks of TLS."],
  REDIS_CLUSTER: ["RefusedError", "The server is a Redis Cluster, or no Cluster where one was named."],
  REDIS_SENTINEL: ["RefusedError", "No sentinel watches a master of that name."],

  // Running.
  DELIVERIES_EXCEEDED: ["ProteanError", "A message was delivered more often than max_deliveries allows."],
  RELOAD: ["ProteanError", "A server could not be asked to replace its workers."],
  WORKER_REFUSED: ["ConfigurationError", "A worker cannot begin, for the reason that is told."],
  WORKER_START: ["ConfigurationError", "The supervisor cannot start its workers."],
  HEALTH_PORT_TAKEN: ["ConfigurationError", "The health listener is required and its port is taken."],

  // Commands.
  PARTITION_NOT_HALTED: [
    "ProteanError",
    "No group stands still at this key, or not at this message any more.",
  ],
  SUBSCRIPTION_UNKNOWN: ["ProteanError", "The domain has no subscription of this name."],
  MESSAGE_NOT_FAILED: [
    "ProteanError",
    "No failed message of the event store stands at this position, or its records have changed meanwhile.",
  ],
  MESSAGE_NOT_RETRIED: ["ProteanError", "The handler's settings let nothing be tried again."],
  GROUP_UNKNOWN: ["ProteanError", "The stream has no consumer group of this name."],
  DLQ_BAD_CURSOR: ["ProteanError", "The place to list from is none that a list has given."],
  DLQ_NOT_FOUND: ["ProteanError", "No dead letter has this id."],
  DLQ_AMBIGUOUS: ["ProteanError", "Several queues hold a dead letter of this id."],
  DLQ_FOREIGN_GROUP: ["ProteanError", "The dead letter failed in a group that this domain does not run."],
  DLQ_TRUNCATED: ["ProteanError", "The dead letter is of a message that was too large to be kept whole."],
  DLQ_UNKNOWN_HANDLER: ["ProteanError", "No handler has this name."],
  DLQ_UNKNOWN_SUBSCRIPTION: ["ProteanError", "No subscription reads this category."],
  DLQ_WEBHOOK_FAILED: ["ProteanError", "An alert could not be posted to the webhook."],
  DLQ_UNKNOWN_GROUP: ["ProteanError", "No dead letters have failed in this way."],
  DLQ_NOTES_FULL: ["ProteanError", "The queue has as many notes on groups as it keeps."],
  DLQ_NO_MESSAGE: ["ProteanError", "The dead letter is no message, so it is not given to every group."],
  DLQ_CUT_SHORT: ["ProteanError", "The replay ended before it was done; the message says why."],
  WINDOW_NO_LANE: ["ProteanError", "The handler has no lane through which a window could be replayed."],
  WINDOW_NO_MARKS: ["ProteanError", "The handler keeps no marks that tell what it has handled."],
  OPERATION_ALIKE: ["ProteanError", "An operation of that kind and filter is not over yet."],
  OPERATION_ENDED: ["ProteanError", "The operation is over."],
  OPERATION_NOT_FOUND: ["ProteanError", "No operation has this id."],
  OPERATION_RUNNING: ["ProteanError", "Another process runs the operation."],
  OPERATION_SAVES: ["ProteanError", "The operation writes to a file, so no other process goes on with it."],
  OPERATION_UNKNOWN_KIND: [
    "ProteanError",
    "This server does not know the kind of the operation, or how it was planned.",
  ],
  DLQ_EDIT_REFUSED: ["ProteanError", "The handler would refuse the edited payload."],
  DLQ_GONE: ["ProteanError", "Somebody else replayed or purged the dead letter first."],
  UNKNOWN_MESSAGE: ["UsageError", "The domain has no message of this name."],
  BAD_LINE: ["ProteanError", "A line of the input is no payload."],
  ENGINE_ENDED: ["ProteanError", "The run ended before everything was worked off."],
  FENCED: ["FencedError", "A partition is another owner's by now."],
  LOCK_LOST: ["ProteanError", "A lock is not ours any more."],
  HEALTHCHECK: ["ProteanError", "The probe did not answer, or not with 200."],
  OUTPUT: ["ProteanError", "Not all of the output could be written."],
  TEMPORARY_FOLDER: ["ConfigurationError", "The demo cannot make a folder."],
} as const satisfies Readonly<Record<string, readonly [CarriedBy, string]>>;

/** A code of ours. Custom adapters have codes of their own. */
export type ErrorCode = keyof typeof ERROR_CODES;
