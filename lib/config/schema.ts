/**
 * The one schema of `domain.toml`: it validates, fills defaults, types the code and is published as JSON
 * Schema (design 6). Keys are TOML's own, snake case. Derived defaults (file names, the health host, adapters
 * that are not named) are filled in by `lib/config/defaults.ts` before this schema sees the configuration.
 *
 * @module
 */
import * as z from "zod";
import { atLeast, flag, text, whole } from "./fields.ts";
import { alertsSchema } from "./schema/alerts.ts";
import { brokerSchema, cacheSchema, databaseSchema, eventStoreSchema } from "./schema/adapters.ts";
import { lintSchema, loggingSchema, observatorySchema, telemetrySchema } from "./schema/observing.ts";
import { consumeIdempotencySchema, idempotencySchema, outboxSchema } from "./schema/outbox.ts";
import { serverSchema } from "./schema/server.ts";

const processing = () => z.enum(["async", "sync"]).default("async");

/** All of `domain.toml` except its environment overlays. */
export const configSchema = z.strictObject({
  env: text().optional(),
  testing: flag().default(false),
  debug: flag().default(false),
  secret_key: text().optional(),
  source_uri: text().optional(),
  identity_strategy: text().default("uuid"),
  identity_type: text().default("string"),
  field_defaults: z.looseObject({}).optional(),
  databases: z.record(z.string(), databaseSchema).default({}).describe("Databases by name."),
  brokers: z.record(z.string(), brokerSchema).default({}).describe("Brokers by name."),
  caches: z.record(z.string(), cacheSchema).default({}).describe("Caches by name."),
  event_store: eventStoreSchema.optional().describe("Where events and commands are kept as well."),
  email_providers: z.record(z.string(), z.looseObject({})).default({}),
  event_processing: processing().describe(
    "sync handles events right after the commit, in the process that raised them, beside the subscriptions.",
  ),
  command_processing: processing().describe("sync handles commands in the process that sent them."),
  message_processing: processing(),
  command_default_timeout: atLeast(0).optional().describe(
    "Seconds after which a command is not worth running.",
  ),
  lenient_deserialization: flag().default(false),
  snapshot_threshold: whole(1).default(10).describe("Events between two snapshots of an aggregate."),
  enable_outbox: flag().default(false).describe("On anyway where subscriptions read streams."),
  outbox: outboxSchema,
  server: serverSchema,
  idempotency: idempotencySchema,
  consume_idempotency: consumeIdempotencySchema,
  logging: loggingSchema,
  telemetry: telemetrySchema,
  alerts: alertsSchema,
  observatory: observatorySchema,
  lint: lintSchema,
  custom: z.record(z.string(), z.unknown()).default({}).describe(
    "Whatever the domain's own code wants to read.",
  ),
});

/** The effective configuration: every default filled in. */
export type Config = z.output<typeof configSchema>;

/** Top-level keys that are not overlays. */
export const TOP_LEVEL_KEYS: readonly string[] = Object.keys(configSchema.shape);
