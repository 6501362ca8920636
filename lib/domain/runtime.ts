/**
 * An initialised domain, as the engine and the command line see it. Not part of the public API.
 *
 * @module
 */
import type { BaseBroker, BaseCache, BaseEventStore, BaseProvider, TableSpec } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import type { Crowd } from "../async/crowd.ts";
import type { LoadedConfig } from "../config/load.ts";
import { IncorrectUsageError } from "../errors.ts";
import type { CheckDefinition } from "./check.ts";
import type { DlqAlertListener } from "./dlq_alert.ts";
import type { HandlerRunner, SentMessage } from "./handler_port.ts";
import type { Observer } from "./observer.ts";
import type { Telemetry } from "./telemetry.ts";
import type { DomainIdentity } from "./elements/identity.ts";
import type { MessageDefinition } from "./elements/message_definition.ts";
import type { PartitionFields } from "./elements/partitioning.ts";

/** What is known of a domain once its configuration is loaded. */
export interface RuntimeFacts {
  /** As given: `my_domain`. */
  readonly name: string;
  /** Prefix of categories, groups and tables. */
  readonly normalizedName: string;
  /** What the elements of this domain hold as theirs. */
  readonly identity: DomainIdentity;
  readonly config: LoadedConfig;
  /** Categories whose messages are written to one stream a key (wire 2.11). */
  readonly partitionFields: PartitionFields;
  readonly clock: Clock;
  /** Told of what the domain does. */
  readonly observer: Observer;
  /** What keeps what the observer is told; undefined where telemetry is off. */
  readonly telemetry: Telemetry | undefined;
  /** Told when dead letters pile up. */
  readonly dlqAlertListeners: readonly DlqAlertListener[];
  /** Run beside the services. */
  readonly checks: readonly CheckDefinition[];
}

/** The adapters of a domain, open. */
export interface Adapters {
  /** By their key in `domain.toml`; `default` is always there. */
  readonly providers: ReadonlyMap<string, BaseProvider>;
  readonly brokers: ReadonlyMap<string, BaseBroker>;
  readonly caches: ReadonlyMap<string, BaseCache>;
  readonly eventStore: BaseEventStore | undefined;
}

/** What units of work need. */
export interface WorkRuntime extends RuntimeFacts, Adapters {
  /**
   * Whether the event store is in the main database, so that appends are part of its transaction (delivery
   * 15).
   */
  readonly appendsInside: boolean;
  /** Those that wait for a database, all handlers of the process together. */
  readonly crowd: Crowd;
  /** Aborted when `domain.close()` begins. */
  readonly closing: AbortSignal;
  /**
   * Handles what was committed, right afterwards, in this process (`event_processing = "sync"`); `guard` is
   * the committed work's. Rejects when handlers have failed. Absent: subscriptions do that.
   */
  readonly handleEvents?:
    | ((
      committed: readonly SentMessage[],
      guard: { readonly signal: AbortSignal; readonly mayCommit: () => boolean },
    ) => Promise<void>)
    | undefined;
}

/** Everything. */
export interface DomainRuntime extends WorkRuntime {
  /** One per handler, in order of declaration. */
  readonly runners: readonly HandlerRunner[];
  /** Tables of aggregates and projections, by name of the provider that holds them. */
  readonly tables: ReadonlyMap<string, readonly TableSpec[]>;
  /** Own events and commands, by name or type string. Undefined: there is none. */
  messageType(name: string): MessageDefinition | undefined;
  /** Names that `messageType` accepts, sorted, without type strings. */
  readonly messageNames: readonly string[];
  /** The same handler with its resolved settings; the engine subscribes with the result. */
  bind(runner: HandlerRunner, settings: { readonly idempotent: boolean }): HandlerRunner;
}

const running = new WeakMap<object, DomainRuntime>();

/** The runtime of a domain. Throws `IncorrectUsageError` unless it is initialised. */
export function runtimeOf(domain: { readonly name: string }): DomainRuntime {
  const runtime = running.get(domain);
  if (runtime) return runtime;
  throw new IncorrectUsageError(`The domain '${domain.name}' is not initialised: await domain.init() first.`);
}

/** Whether `runtimeOf` would answer. */
export function isRunning(domain: object): boolean {
  return running.has(domain);
}

/** Ties a runtime to its domain, or (undefined) takes it off again. */
export function setRuntime(domain: { readonly name: string }, runtime: DomainRuntime | undefined): void {
  if (runtime) running.set(domain, runtime);
  else running.delete(domain);
}
