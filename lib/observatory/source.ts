/**
 * What the observatory knows of a domain, and where it is read: brokers and databases alone, no server
 * need run.
 *
 * @module
 */
import type { AdapterKind, OutboxStatus, Rollup } from "../adapters/ports.ts";
import type { QueuedLetter } from "../dlq/queues.ts";
import type { StatusRow } from "../status/row.ts";
import type { Worker } from "./workers.ts";

/** What could be had, and why some of it is unknown. */
export interface Found<T> {
  readonly value: T;
  /** Sentences, each once; empty: it is whole. */
  readonly reasons: readonly string[];
}

export interface ComponentFigures {
  readonly kind: AdapterKind;
  readonly name: string;
  readonly status: "ok" | "unavailable";
  readonly error?: string;
}

/** What a Redis says of itself; null is unknown. */
export interface RedisFigures {
  readonly healthy: boolean;
  readonly version: string | null;
  readonly connected_clients: number | null;
  /** As Redis writes it: `1.05M`. */
  readonly memory: string | null;
  readonly uptime_seconds: number | null;
  readonly ops_per_sec: number | null;
}

export interface HealthFigures {
  readonly components: readonly ComponentFigures[];
  /** Null where the broker `default` is no Redis. */
  readonly redis: RedisFigures | null;
}

/** One dead-letter stream. */
export interface QueueFigures {
  readonly stream: string;
  readonly depth: number;
  /** Undefined: there is no letter, or nobody could say. */
  readonly oldestAgeMs: number | undefined;
}

export interface LetterQuery {
  /** Stream category; undefined: all. */
  readonly subscription: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

export interface LetterList {
  /** The newest first. */
  readonly entries: readonly QueuedLetter[];
  readonly total: number;
}

/** Every method rejects with the reason where nothing of it can be had, and within a few seconds. */
export interface ObservatorySource {
  readonly domain: string;
  health(): Promise<HealthFigures>;
  rows(): Promise<Found<readonly StatusRow[]>>;
  /** Of all its databases together. */
  outbox(): Promise<Readonly<Record<OutboxStatus, number>>>;
  workers(): Promise<readonly Worker[]>;
  queues(): Promise<Found<readonly QueueFigures[]>>;
  /** Minutes from the first on and before the last (operations 8). */
  rollups(subscription: string, from: number, to: number): Promise<readonly Rollup[]>;
  letters(query: LetterQuery): Promise<LetterList>;
  letter(id: string, subscription: string | undefined): Promise<QueuedLetter>;
}
