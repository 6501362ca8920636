/**
 * Keys that only Python Protean reads. They are accepted, so that both can share one file, have no effect
 * here, and `check` lists them (design 6).
 *
 * @module
 */
import type { LoadedConfig } from "./loaded.ts";
import { dotted, matches, type Path } from "./tree.ts";

/** Dotted patterns; `*` stands for one key, and everything below a match is meant too. */
export const PYTHON_ONLY_KEYS: readonly string[] = [
  "env",
  "testing",
  "debug",
  "secret_key",
  "identity_strategy",
  "identity_type",
  "field_defaults",
  "email_providers",
  "message_processing",
  "lenient_deserialization",
  "source_uri",
  "logging.log_dir",
  "logging.log_file_prefix",
  "logging.max_bytes",
  "logging.backup_count",
  "logging.http",
  // Arguments of SQLAlchemy's create_engine.
  "databases.*.connect_args",
  "databases.*.echo",
  "databases.*.echo_pool",
  "databases.*.execution_options",
  "databases.*.isolation_level",
  "databases.*.max_identifier_length",
  "databases.*.pool_logging_name",
  "databases.*.pool_reset_on_return",
  "databases.*.pool_use_lifo",
  "databases.*.query_cache_size",
  "server.subscriptions.*.origin_stream",
  "server.subscriptions.*.stream_category",
  "server.profiles.*.origin_stream",
];

/** Python's names for keys of ours: taken, and suggested to nobody. */
export const PYTHON_NAMES: ReadonlySet<string> = new Set(["drain_timeout"]);

/** True when Python alone reads the key at `path` or one above it. */
export function isPythonOnly(path: Path): boolean {
  return PYTHON_ONLY_KEYS.some((pattern) => matches(pattern, path));
}

/** Dotted keys that the user set and that have no effect here. */
export function pythonOnlyKeys(config: LoadedConfig): readonly string[] {
  return [...config.origins.values()].map(({ path }) => path).filter(isPythonOnly).map(dotted);
}
