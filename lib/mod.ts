/**
 * protean-server: what a domain module imports.
 *
 * ```ts
 * import { Domain, on, SubscriptionProfile } from "@protean/server";
 * ```
 *
 * @module
 */
// How `domain.deadLetters` and `domain.operations` do their work.
import "./dlq/dead_letters.ts";
import "./telemetry/open.ts";
import "./operations/domain_operations.ts";
import "./operations/window.ts";

export { Domain } from "./domain/domain.ts";
export { on, onAny, onBatch } from "./domain/elements/on.ts";
export { SubscriptionProfile } from "./subscription/settings/profiles.ts";
export type {
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterQueues,
  DeadLetterStats,
  OperationOptions,
  SavedDeadLetter,
} from "./domain/dead_letters.ts";
export type { FailedLetter, Operation, Operations } from "./domain/operations.ts";
export type { Alert, AlertListener } from "./domain/alert.ts";
export type { CheckOptions, CheckRun, CheckState } from "./domain/check.ts";
export type { DlqAlert, DlqAlertListener } from "./domain/dlq_alert.ts";
export { Engine, type EngineOptions, type EngineRunOptions } from "./engine/engine.ts";
export type { SubscriptionStatus } from "./subscription/status.ts";
export type { BreakerState, DeliveryEvent } from "./domain/observer.ts";
export type {
  HealthListener,
  HealthListenerFactory,
  HealthListenerOptions,
  HealthSettings,
  HealthSource,
} from "./health/listener.ts";
export type {
  ComponentState,
  ComponentStatus,
  HealthSnapshot,
  SubscriptionRow,
  SubscriptionsBlock,
  WorkerHealth,
} from "./health/types.ts";
export type { Page as HealthPage } from "./health/page.ts";
export type { Service, ServiceStatus } from "./async/service.ts";
export type { Scale, ScaleOfSubscription } from "./status/scale.ts";
export { createHealthRouter, type HealthRouter, type HealthRouterOptions } from "./health/mod.ts";

export type {
  AggregateType,
  BatchContext,
  BatchHandling,
  Context,
  ContextCache,
  DeadLetterEntry,
  HandlerOptions,
  Handling,
  In,
  Instance,
  MessageType,
  Out,
  ProcessManagerState,
  ProjectionType,
  Repository,
  Row,
  Schema,
  Sql,
  SqlFragment,
  SqlQuery,
  Step,
  View,
} from "./domain/types.ts";
export type {
  AggregateOptions,
  CommandHandlerOptions,
  CommandOptions,
  EventHandlerOptions,
  EventOptions,
  ExternalEventOptions,
  InitOptions,
  ProcessManagerOptions,
  ProcessOptions,
  ProjectionOptions,
  ProjectorOptions,
  PublishOptions,
  StepOptions,
  SubscriberOptions,
} from "./domain/options.ts";

// An adapter of one's own finds the rest of its port in `@protean/server/adapters`.
export {
  type AdapterKind,
  type AdapterOptions,
  BaseBroker,
  BaseCache,
  BaseEventStore,
  BaseProvider,
} from "./adapters/ports.ts";
export type { AdapterClass } from "./adapters/registry.ts";
export type { Clock } from "./async/clock.ts";
export type {
  DomainMetadata,
  EventStorePosition,
  Message,
  MessageEnvelope,
  MessageHeaders,
  MessageKind,
  MessageMetadata,
  TraceParent,
} from "./message/types.ts";
export {
  BrokerUnavailableError,
  CommitRefusedError,
  ConfigurationError,
  type ConfigurationProblem,
  DeadLetter,
  DeserializationError,
  Discard,
  DomainLoadError,
  DuplicateMessageError,
  ExpectedVersionError,
  GroupMissingError,
  IncorrectUsageError,
  MessageConflictError,
  NotSupportedError,
  ObjectNotFoundError,
  PoolTimeoutError,
  ProteanError,
  type ProteanErrorOptions,
  ProviderUnavailableError,
  RetryAfter,
  UnavailableError,
  UnhandledMessageError,
  ValidationError,
} from "./errors.ts";
