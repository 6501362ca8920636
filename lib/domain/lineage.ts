/**
 * What a message inherits from the message that is being handled when it is written (spec: wire 1.2, 1.9, 1.10).
 *
 * @module
 */
import { newCorrelationId } from "../message/metadata.ts";
import type { Message } from "../message/types.ts";

/** Options of `eventMetadata` and `commandMetadata` that come from the message in context. */
export interface Lineage {
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly originStream: string | null;
  readonly extensions: Readonly<Record<string, unknown>>;
}

/** Of an event. Outside any message it has no correlation and no cause. */
export function eventLineage(parent: Message | undefined): Lineage {
  const domain = parent?.metadata.domain;
  return {
    correlationId: domain?.correlation_id ?? null,
    causationId: parent?.metadata.headers.id ?? null,
    originStream: domain?.kind === "COMMAND" ? domain.origin_stream : null,
    extensions: inherited(parent),
  };
}

/** Of a command. It begins a correlation where there is none. */
export function commandLineage(parent: Message | undefined, correlationId?: string): Lineage {
  const domain = parent?.metadata.domain;
  return {
    correlationId: correlationId ?? domain?.correlation_id ?? newCorrelationId(),
    causationId: parent?.metadata.headers.id ?? null,
    originStream: domain?.kind === "EVENT" ? parent?.metadata.headers.stream ?? null : null,
    extensions: inherited(parent),
  };
}

/** The ambient priority: which lane and which outbox rows go first. */
export function ambientPriority(parent: Message | undefined): number {
  return parent?.metadata.domain.priority ?? 0;
}

/** Tenant, user and the like travel on; keys that begin with `_` are about the parent alone. */
function inherited(parent: Message | undefined): Readonly<Record<string, unknown>> {
  const extensions = parent?.metadata.extensions;
  if (!extensions) return {};
  return Object.fromEntries(Object.entries(extensions).filter(([key]) => !key.startsWith("_")));
}
