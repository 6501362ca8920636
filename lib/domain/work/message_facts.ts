/**
 * What a log line says of the message that is handled, and of the trace that this is part of. Never its payload
 * (SEC-4).
 *
 * @module
 */
import type { Message, TraceContext } from "../../message/types.ts";

/** Empty outside of handlers, where there is no trace. A key that has no value is left out. */
export function messageFacts(
  { message, trace }: { readonly message: Message | undefined; readonly trace: TraceContext | null },
): Record<string, unknown> {
  const span = trace?.traceparent;
  // Without a span of ours the message's own trace is the one; its span is the writer's.
  const trace_id = span?.trace_id ?? message?.metadata.headers.traceparent?.trace_id;
  const facts: Record<string, unknown> = {
    ...(trace_id !== undefined && { trace_id }),
    ...(span && { span_id: span.parent_id }),
  };
  if (!message) return facts;
  const { headers: { id, type, stream }, domain: { correlation_id } } = message.metadata;
  return {
    ...{ message_id: id, message_type: type, stream },
    ...(correlation_id !== null && { correlation_id }),
    ...facts,
  };
}
