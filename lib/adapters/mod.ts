/**
 * For writing an adapter of one's own: the base classes and types of the ports, the errors that adapters
 * throw, and what the built-in adapters share.
 *
 * ```ts ignore
 * import { type AdapterOptions, BaseCache } from "@protean/server/adapters";
 *
 * export class ShelfCache extends BaseCache {
 *   constructor(options: AdapterOptions) {
 *     super(options);
 *   }
 *   // …
 * }
 * ```
 *
 * Register the class with `domain.registerAdapter("cache", "shelf", ShelfCache)`, or name its module in
 * `domain.toml`: `provider = "./shelf.js#ShelfCache"`. The suites of `@protean/server/testing/conformance`
 * say whether it does what the server relies on; `examples/custom-adapter` is a complete one.
 *
 * @module
 */
export * from "./ports.ts";
export type { AdapterClass } from "./registry.ts";
export type { MessageMetadata } from "../message/types.ts";

// Time and waiting.
export { type Clock, sleep } from "../async/clock.ts";
export { type BlockingReadOptions, takeWhenThere } from "./blocking_read.ts";

// Streams: ids and rules that all brokers have in common.
export {
  compareStreamIds,
  END_ID,
  formatStreamId,
  nextStreamId,
  parseCursor,
  parseStreamId,
  type StreamId,
  ZERO_ID,
} from "./stream_id.ts";
export { fenced, groupMissing, RELEASED_IDLE_MS, TRIM_LIMIT } from "./stream_rules.ts";

// Caches.
export { cacheTtl } from "./cache_ttl.ts";
export { compareCodePoints } from "../message/json_format.ts";

// Outboxes and event stores.
export { allShards, fairShare } from "./outbox_share.ts";
export { checkStreamEnd, kindOfStream, storedMetadata } from "./stored_event.ts";

export {
  BrokerUnavailableError,
  CommitRefusedError,
  ConfigurationError,
  type ConfigurationProblem,
  DuplicateMessageError,
  ExpectedVersionError,
  FencedError,
  GroupMissingError,
  IncorrectUsageError,
  MessageConflictError,
  NotSupportedError,
  PoolTimeoutError,
  ProteanError,
  type ProteanErrorOptions,
  ProviderUnavailableError,
  UnavailableError,
} from "../errors.ts";
