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

/**
 * Classes after which a command ends with 2, for nothing but another configuration or command line helps
 * (design 9).
 */
export const EXITS_WITH_2: readonly CarriedBy[] = [
  "ConfigurationError",
  "DomainLoadError",
  "RefusedError",
  "UsageError",
];

/**
 * Code → what carries it, what it means, and what to do; that is in its rule where `check` has one
 * (`lib/check/catalogue.ts`).
 */
export const ERROR_CODES = {
  // The classes' own, where no closer one is known.
  PROTEAN_ERROR: [
    "ProteanError",
    "A failure without a code of its own.",
    "Read the message and the chain of causes; `--log-level debug` shows its stack.",
  ],
  CONFIGURATION: [
    "ConfigurationError",
    "The configuration or the declared elements cannot work as written.",
    "Do what the message says; `check` finds all of it at once.",
  ],
  DOMAIN_LOAD: [
    "DomainLoadError",
    "The domain module cannot be found or loaded.",
    "Do what the message says: it names package, file and line.",
  ],
  VALIDATION: [
    "ValidationError",
    "A schema, or the database, refused data.",
    "Send data that the schema takes, or widen the schema; the message names the fields.",
  ],
  MESSAGE_TOO_LARGE: [
    "ValidationError",
    "A message is larger than max_message_bytes allows.",
    "Send a reference to the large part, or raise max_message_bytes in [server] on every server.",
  ],
  EXPECTED_VERSION: [
    "ExpectedVersionError",
    "Somebody else saved the same aggregate, view row or stream first.",
    "Nothing: the handler runs once more. Where it is frequent, split the aggregate or save it in fewer places.",
  ],
  OBJECT_NOT_FOUND: [
    "ObjectNotFoundError",
    "No stored object has the id that was asked for.",
    "Use `find` where it may be missing; else look for who should have saved it before.",
  ],
  DESERIALIZATION: [
    "DeserializationError",
    "Bytes that are no message of this domain.",
    "Find who writes such bytes to the stream (`dlq inspect` shows them), and mend that producer.",
  ],
  UNAVAILABLE: [
    "UnavailableError",
    "A backend does not answer now and may answer later.",
    "Nothing: it is tried again. `/readyz` says what is away.",
  ],
  PROVIDER_UNAVAILABLE: [
    "ProviderUnavailableError",
    "A database does not answer.",
    "Bring the database back, or mend its address; messages wait meanwhile, uncounted.",
  ],
  BROKER_UNAVAILABLE: [
    "BrokerUnavailableError",
    "A broker does not answer, is full, or is read-only.",
    "Bring the broker back, give it memory, or name the one that takes writes; messages wait meanwhile.",
  ],
  POOL_TIMEOUT: [
    "PoolTimeoutError",
    "No connection came free in time.",
    "Raise pool_size or max_overflow, lower `concurrency`, or hold connections for less long.",
  ],
  MESSAGE_UNHANDLED: [
    "UnhandledMessageError",
    "A message of a shared group that neither this domain nor a live consumer of another program handles.",
    "Start the program that handles the type, or declare it here; then replay the dead letter.",
  ],
  GROUP_MISSING: [
    "GroupMissingError",
    "A stream or its consumer group does not exist any more.",
    "Nothing: the server makes the group again. Find out who flushed or deleted the stream.",
  ],
  DUPLICATE_MESSAGE: [
    "DuplicateMessageError",
    "The effect of the message exists already.",
    "Nothing: the message counts as handled.",
  ],
  MESSAGE_CONFLICT: [
    "MessageConflictError",
    "Another message with the same id was handled before.",
    "Give every message an id of its own; one that is used twice is refused.",
  ],
  EVENT_PROCESSING: [
    "ProteanError",
    'Handlers of events that were committed have failed, with event_processing = "sync".',
    "Mend the handlers that the message names; the events are committed and reach their streams.",
  ],
  DEAD_LETTER: [
    "ProteanError",
    "A handler sends its message to the dead letters at once.",
    "Nothing: a handler has asked for it. `dlq inspect` shows its reason.",
  ],
  DISCARD: [
    "ProteanError",
    "A handler wants its message acknowledged and no more.",
    "Nothing: a handler has asked for it.",
  ],
  RETRY_AFTER: [
    "ProteanError",
    "A handler wants its message again later.",
    "Nothing: a handler has asked for it.",
  ],
  COMMIT_REFUSED: [
    "CommitRefusedError",
    "The message was claimed by another process, or cut by the drain.",
    "Nothing: the message is handled again, here or elsewhere. Where it is frequent, raise claim_idle_ms or drain_timeout_seconds.",
  ],
  NOT_SUPPORTED: [
    "NotSupportedError",
    "The adapter, or this version, cannot do what was asked.",
    "Use an adapter that can, or leave it out; the message names both.",
  ],
  INCORRECT_USAGE: [
    "IncorrectUsageError",
    "The public API was used wrongly.",
    "Mend the call that the message names.",
  ],
  USAGE: [
    "UsageError",
    "The command line was used wrongly.",
    "`--help` at that command shows what it takes.",
  ],
  UNEXPECTED: [
    "Error",
    "An error that is none of ours: a defect.",
    "Report it, with the stack that `--log-level debug` shows.",
  ],

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
  CONFIG_FOREIGN_EVENT: [
    "ConfigurationError",
    "An aggregate raised an event of another one.",
    "Raise it from the aggregate in its `partOf`, or declare an event of this one.",
  ],

  // Passwords that change.
  PASSWORD_FILE: [
    "RefusedError",
    "The file with a password cannot be used.",
    "Let password_file name a file that the server may read, with the password and nothing else.",
  ],
  PASSWORD_COMMAND: [
    "RefusedError",
    "The command that tells a password cannot be run.",
    "Run the command by hand: it has to print the password, end with 0, and be there for the server's user.",
  ],

  // Databases.
  DATABASE_TABLE_MISSING: [
    "RefusedError",
    "A table does not exist; `db setup` creates it.",
    "`protean-server db setup`.",
  ],
  DATABASE_TABLE_DIFFERS: [
    "RefusedError",
    "A table of that name is not this server's.",
    "Give the server a schema or database of its own, or rename the other table.",
  ],
  DATABASE_REFUSED: ["RefusedError", "The database refuses user, password, rights, schema or name."],
  DATABASE_SCHEMA_NEWER: [
    "ConfigurationError",
    "A newer server has changed the tables so that this one cannot work with them.",
    "Run the newer server, or restore a database of before its upgrade.",
  ],
  DATABASE_SCHEMA_OLDER: [
    "ConfigurationError",
    "Tables wait for `db upgrade`.",
    "`protean-server db upgrade`; with `--dry-run` it shows the SQL.",
  ],
  DATABASE_UPGRADE_FAILED: [
    "ConfigurationError",
    "A step of an upgrade was refused and undone.",
    "Mend what the message names and run `db upgrade` again; nothing was changed by that step.",
  ],
  DATABASE_POOLER: ["RefusedError", "A transaction pooler stands before the database."],
  DATABASE_TOO_OLD: ["ConfigurationError", "The database server is older than what is supported."],
  DATABASE_NAME_TOO_LONG: [
    "ConfigurationError",
    "A table name is longer than PostgreSQL keeps.",
    "Give the domain or the element a shorter name.",
  ],
  POSTGRES_ADDRESS: ["ConfigurationError", "What answers at the address is not PostgreSQL."],
  POSTGRES_TLS: ["RefusedError", "TLS to PostgreSQL is not possible as configured."],
  SQLITE_FILE: [
    "ConfigurationError",
    "The database file cannot be used.",
    "Give the server a folder that it may write to (PROTEAN_DATA_DIR), or name another file.",
  ],
  TRANSACTION_ABORTED: [
    "ProteanError",
    "A statement before failed, so the unit of work was rolled back.",
    "Mend the statement before it, which the cause names; do not catch its error and go on.",
  ],
  SQL: [
    "ProteanError",
    "A statement is wrong, or a constraint refused it.",
    "Mend the statement; the message says what the database has against it.",
  ],
  ADAPTER_FAILED: [
    "ConfigurationError",
    "The constructor of an adapter has thrown, or its connectionNeed().",
  ],
  ADAPTER_INCOMPLETE: ["ConfigurationError", "An adapter lacks a method or property that is needed."],
  CLOSE_FAILED: [
    "ProteanError",
    "An adapter did not close cleanly.",
    "Look at the cause; what was committed is kept.",
  ],

  // Redis.
  REDIS_TOO_OLD: ["ConfigurationError", "The Redis server is older than what is supported."],
  REDIS_WRONG_PASSWORD: ["RefusedError", "Redis refuses user or password."],
  REDIS_NO_PERMISSION: ["RefusedError", "The ACL of the Redis user lacks a permission."],
  REDIS_WRONG_DATABASE: ["RefusedError", "Redis has no database of that number."],
  REDIS_WRONG_TYPE: [
    "RefusedError",
    "A key of ours holds something else.",
    "Give the server a Redis or a database number of its own, or delete the key that the message names.",
  ],
  REDIS_STREAM_EXHAUSTED: [
    "RefusedError",
    "A stream of Redis has used up its ids.",
    "Rename or remove the stream, and a new one is made.",
  ],
  REDIS_COMMAND_MISSING: [
    "RefusedError",
    "Redis, or what stands before it, does not offer a command.",
    "Use Redis itself, of a version that is supported, without what renames or forbids its commands.",
  ],
  REDIS_TLS: ["RefusedError", "The certificate of a Redis server fails the checks of TLS."],
  REDIS_CLUSTER: ["RefusedError", "The server is a Redis Cluster, or no Cluster where one was named."],
  REDIS_SENTINEL: [
    "RefusedError",
    "No sentinel watches a master of that name.",
    "Name the service as the sentinels do: redis+sentinel://host:port/SERVICE/db.",
  ],

  // Running.
  DELIVERIES_EXCEEDED: [
    "ProteanError",
    "A message was delivered more often than max_deliveries allows.",
    "Find out why handling it kills the process (memory, a native crash), then replay the dead letter.",
  ],
  RELOAD: [
    "ProteanError",
    "A server could not be asked to replace its workers.",
    "Name the process of a server that runs with `--workers`.",
  ],
  WORKER_REFUSED: [
    "ConfigurationError",
    "A worker of a supervisor cannot begin, and none of the others has.",
    "Do what the message says: it is the worker's own.",
  ],
  WORKER_START: [
    "ConfigurationError",
    "The supervisor cannot start its workers.",
    "Do what the message says; a worker is this executable, started once more.",
  ],
  OBSERVATORY_BAD_HOST: [
    "ConfigurationError",
    "The observatory's host is no host.",
    "Name an address or a name in `[observatory] host`, without scheme and port.",
  ],
  OBSERVATORY_BAD_TOKEN: [
    "ConfigurationError",
    "The observatory's token cannot be sent in a header.",
    "Use letters, digits and signs of ASCII without blanks.",
  ],
  OBSERVATORY_TOKEN_MISSING: [
    "ConfigurationError",
    "The observatory is to listen to other machines, and no token is set.",
    "Set `[observatory] token`, or let it listen on 127.0.0.1.",
  ],
  OBSERVATORY_PORT_TAKEN: [
    "ConfigurationError",
    "The observatory cannot listen where it is told to.",
    "Free the port, or set `[observatory] host` and `port`.",
  ],
  HEALTH_PORT_TAKEN: [
    "ConfigurationError",
    "The health listener is required and its port is taken.",
    "End who holds the port, name another in [server.health] port, or leave `--require-dependencies` out.",
  ],

  // Commands.
  PARTITION_NOT_HALTED: [
    "ProteanError",
    "No group stands still at this key, or not at this message any more.",
    "`subscriptions partitions` shows where a key stands now.",
  ],
  SUBSCRIPTION_UNKNOWN: [
    "ProteanError",
    "The domain has no subscription of this name.",
    "`subscriptions status` lists their names.",
  ],
  MESSAGE_NOT_FAILED: [
    "ProteanError",
    "No failed message of the event store stands at this position, or its records have changed meanwhile.",
    "`subscriptions failed` shows what stands there now.",
  ],
  MESSAGE_NOT_RETRIED: [
    "ProteanError",
    "The handler's settings let nothing be tried again.",
    "Set max_retries above 0 and enable_recovery, or leave the message out with `--skip`.",
  ],
  GROUP_UNKNOWN: [
    "ProteanError",
    "The stream has no consumer group of this name.",
    "`subscriptions groups` lists them.",
  ],
  DLQ_BAD_CURSOR: [
    "ProteanError",
    "The place to list from is none that a list has given.",
    "Give `list` the `cursor` of the page before, or begin anew without one.",
  ],
  DLQ_NOT_FOUND: [
    "ProteanError",
    "No dead letter has this id.",
    "`dlq list` shows what is there; it may have been replayed, purged or trimmed meanwhile.",
  ],
  DLQ_AMBIGUOUS: [
    "ProteanError",
    "Several queues hold a dead letter of this id.",
    "Name the queue with `--subscription`.",
  ],
  DLQ_FOREIGN_GROUP: [
    "ProteanError",
    "The dead letter failed in a group that this domain does not run.",
    "Replay it with the domain that runs the group (`dlq inspect` names it), or with `--to-all-groups`.",
  ],
  DLQ_TRUNCATED: [
    "ProteanError",
    "The dead letter is of a message that was too large to be kept whole.",
    "Send the message anew from its source; this one can be purged.",
  ],
  DLQ_UNKNOWN_HANDLER: [
    "ProteanError",
    "No handler has this name.",
    "Take a name of those that the message offers.",
  ],
  DLQ_UNKNOWN_SUBSCRIPTION: [
    "ProteanError",
    "No subscription reads this category.",
    "Take a name of those that the message offers.",
  ],
  ALERT_WEBHOOK_FAILED: [
    "ProteanError",
    "Alerts could not be posted to the webhook of [alerts].",
    "Mend webhook in [alerts] or its receiver; they are posted again, at the latest five minutes later.",
  ],
  DLQ_WEBHOOK_FAILED: [
    "ProteanError",
    "An alert could not be posted to the webhook.",
    "Mend alert_webhook or its receiver; the alert is posted again in the next cycle.",
  ],
  DLQ_UNKNOWN_GROUP: [
    "ProteanError",
    "No dead letters have failed in this way.",
    "`dlq stats` lists the groups with their fingerprints.",
  ],
  DLQ_NOTES_FULL: [
    "ProteanError",
    "The queue has as many notes on groups as it keeps.",
    "Remove some with an empty text: `dlq note FINGERPRINT ''`.",
  ],
  DLQ_NO_MESSAGE: [
    "ProteanError",
    "The dead letter is no message, so it is not given to every group.",
    "Replay it to the group that failed, without `--to-all-groups`, or purge it.",
  ],
  DLQ_CUT_SHORT: [
    "ProteanError",
    "The replay ended before it was done; the message says why.",
    "Do what the message says, then run the command again: what was replayed is not there any more.",
  ],
  WINDOW_NO_LANE: [
    "ProteanError",
    "The handler has no lane through which a window could be replayed.",
    "Let the handler read the stream for the replay; one that is parted by key needs an [event_store].",
  ],
  WINDOW_NO_MARKS: [
    "ProteanError",
    "The handler keeps no marks that tell what it has handled.",
    "Make the handler idempotent, or have everything handled again with `--marks ignore`.",
  ],
  OPERATION_ALIKE: [
    "ProteanError",
    "An operation of that kind and filter is not over yet.",
    "`operations list` shows it: wait for it, resume it or cancel it.",
  ],
  OPERATION_ENDED: ["ProteanError", "The operation is over.", "Start a new one."],
  OPERATION_NOT_FOUND: [
    "ProteanError",
    "No operation has this id.",
    "`operations list` shows the ids that are kept.",
  ],
  OPERATION_RUNNING: [
    "ProteanError",
    "Another process runs the operation.",
    "Wait for it, or pause it with `operations pause`.",
  ],
  OPERATION_SAVES: [
    "ProteanError",
    "The operation writes to a file, so no other process goes on with it.",
    "Let the command that began it end, or cancel it and begin anew.",
  ],
  OPERATION_UNKNOWN_KIND: [
    "ProteanError",
    "This server does not know the kind of the operation, or how it was planned.",
    "Resume it with the release that planned it, or cancel it and begin anew.",
  ],
  DLQ_EDIT_REFUSED: [
    "ProteanError",
    "The handler would refuse the edited payload.",
    "Mend the payload; the message names the fields.",
  ],
  DLQ_GONE: [
    "ProteanError",
    "Somebody else replayed or purged the dead letter first.",
    "Nothing: it is done.",
  ],
  UNKNOWN_MESSAGE: [
    "UsageError",
    "The domain has no message of this name.",
    "Take a name of those that the message offers.",
  ],
  BAD_LINE: [
    "ProteanError",
    "A line of the input is no payload.",
    "Mend the line that the message counts; the others went through.",
  ],
  ENGINE_ENDED: [
    "ProteanError",
    "The run ended before everything was worked off.",
    "Look at the log for what ended it, and run it again.",
  ],
  FENCED: [
    "FencedError",
    "A partition is another owner's by now.",
    "Nothing: the other owner handles the message.",
  ],
  LOCK_LOST: [
    "ProteanError",
    "A lock is not ours any more.",
    "Nothing: whoever has the lock now does the work.",
  ],
  HEALTHCHECK: [
    "ProteanError",
    "The probe did not answer, or not with 200.",
    "Ask `/readyz`: its body says what is missing. Name another address with `--url`.",
  ],
  OUTPUT: [
    "ProteanError",
    "Not all of the output could be written.",
    "Make room where stdout goes, and run the command again.",
  ],
  TEMPORARY_FOLDER: [
    "ConfigurationError",
    "The demo cannot make a folder.",
    "Let TMPDIR name a folder that can be written to.",
  ],
} as const satisfies Readonly<Record<string, readonly [CarriedBy, string, string?]>>;

/** A code of ours. Custom adapters have codes of their own. */
export type ErrorCode = keyof typeof ERROR_CODES;
