/**
 * The four interfaces between the server and its backends, and the base classes that adapters extend.
 * Mechanisms are those of `spec/delivery.md`; each port has one conformance suite in `testing/conformance/`,
 * and what an adapter cannot do is a declared capability, never a skipped test.
 *
 * Errors: an adapter throws `UnavailableError` (or a subclass) where waiting may help, `ConfigurationError`
 * where only an operator can, and nothing of its driver's own.
 *
 * @module
 */
export * from "./ports/adapter.ts";
export * from "./ports/lock.ts";
export * from "./ports/schema.ts";
export * from "./ports/provider.ts";
export * from "./ports/many.ts";
export * from "./ports/outbox.ts";
export * from "./ports/entry.ts";
export * from "./ports/broker.ts";
export * from "./ports/partitions.ts";
export * from "./ports/peers.ts";
export * from "./ports/rollups.ts";
export * from "./ports/operations.ts";
export * from "./ports/alerts.ts";
export * from "./ports/cache.ts";
export * from "./ports/event_store.ts";
