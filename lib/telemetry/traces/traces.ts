/**
 * Spans of wire 9.4 over the observer's calls. A trace comes with its message and goes on with what the
 * handler writes; one that begins here is kept by `[telemetry] trace_sample_ratio`.
 *
 * @module
 */
import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span as OtelSpan,
  type SpanContext,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { Buffer } from "node:buffer";
import type { HandlerKind } from "../../domain/handler_port.ts";
import type { PublishedRow } from "../../domain/observer.ts";
import { errorType, logLine } from "../../message/describe_error.ts";
import { categoryOf } from "../../message/names.ts";
import type { Message, TraceContext, TraceParent } from "../../message/types.ts";

/** A span that is open. */
export interface OpenSpan {
  /** What is written meanwhile belongs to. */
  readonly trace: TraceContext;
  end(error?: Error): void;
}

export interface TracesOptions {
  /** `<host>-<pid>`. */
  readonly worker: string;
  /**
   * Share of the traces beginning here that are begun at all: the tracer is to keep each of them. Undefined: its
   * sampler decides.
   */
  readonly ratio: number | undefined;
  /** From 0 to below 1. @default Math.random */
  readonly random?: () => number;
}

export class Traces {
  readonly #tracer: Tracer;
  readonly #worker: string;
  readonly #ratio: number | undefined;
  readonly #random: () => number;

  constructor(tracer: Tracer, { worker, ratio, random = Math.random }: TracesOptions) {
    this.#tracer = tracer;
    this.#worker = worker;
    this.#ratio = ratio;
    this.#random = random;
  }

  /** A handler runs on a message. */
  handler(handler: string, { metadata: { headers, domain } }: Message, kind: HandlerKind): OpenSpan {
    const parent = contextOf(headers.traceparent);
    if (this.#isLeftOut(parent)) return new LeftOut();
    const span = this.#tracer.startSpan("protean.engine.handle_message", {}, parent);
    if (!span.isRecording()) return open(span);
    span.setAttributes({
      "protean.handler.name": handler,
      "protean.message.type": headers.type,
      "protean.message.id": headers.id,
      "protean.stream_category": categoryOf(headers.stream),
      "protean.worker_id": this.#worker,
      "protean.subscription_type": kind,
      ...lineage(domain),
    });
    const execution = this.#tracer.startSpan("protean.handler.execute", {
      attributes: {
        "protean.handler.name": handler,
        "protean.handler.type": kind.toUpperCase(),
        ...lineage(domain),
      },
    }, trace.setSpan(parent, span));
    return open(execution, span);
  }

  /** A command is given to the domain, within the program's own trace where it has one. */
  command(type: string): OpenSpan {
    const attributes = { "protean.command.type": type };
    if (this.#isLeftOut(context.active())) return new LeftOut();
    return open(this.#tracer.startSpan("protean.command.process", { attributes }, context.active()));
  }

  /** A unit of work commits. Undefined: it is part of no trace that is kept. */
  commit(within: TraceContext | null): ((messages: number, error?: Error) => void) | undefined {
    if (!within || within instanceof Unsampled || !within.traceparent.sampled) return undefined;
    const span = this.#tracer.startSpan("protean.uow.commit", {}, contextOf(within.traceparent));
    return (messages, error) => {
      span.setAttribute("protean.uow.event_count", messages);
      ended(span, error);
    };
  }

  /** A trace would begin here, and is not kept: nothing is made for it. */
  #isLeftOut(parent: Context): boolean {
    if (this.#ratio === undefined || this.#ratio >= 1) return false;
    const known = parent === ROOT_CONTEXT ? undefined : trace.getSpanContext(parent);
    const begins = !known || !trace.isSpanContextValid(known);
    return begins && this.#random() >= this.#ratio;
  }

  /** Rows were published, those of traces that are kept. */
  published(rows: readonly PublishedRow[], ms: number, processor: string, external: boolean): void {
    const now = Date.now();
    for (const row of rows) {
      if (!row.metadata.includes('"sampled":true')) continue;
      const { headers, domain } = readHeaders(row.metadata);
      const parent = headers?.traceparent;
      if (!parent?.sampled) continue;
      const attributes = {
        "protean.outbox.message_id": row.messageId,
        "protean.outbox.stream_category": categoryOf(row.streamName),
        "protean.outbox.message_type": row.type,
        "protean.outbox.processor_id": processor,
        "protean.outbox.is_external": external,
        ...lineage(domain),
      };
      const span = this.#tracer.startSpan(
        "protean.outbox.publish",
        { attributes, startTime: now - ms },
        contextOf(parent),
      );
      span.end(now);
    }
  }
}

/**
 * A trace that is not kept. What is written meanwhile says so, lest whoever reads it begins one of its own; its ids
 * are made when something is written.
 */
class Unsampled implements TraceContext {
  readonly tracestate = null;
  #traceparent: TraceParent | undefined;

  get traceparent(): TraceParent {
    return this.#traceparent ??= { trace_id: randomHex(16), parent_id: randomHex(8), sampled: false };
  }
}

class LeftOut implements OpenSpan {
  readonly trace = new Unsampled();

  end(): void {}
}

function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}

interface Lineage {
  readonly correlation_id: string | null;
  readonly causation_id: string | null;
}

interface Headers {
  readonly headers?: { readonly traceparent?: TraceParent | null };
  readonly domain?: Lineage;
}

function readHeaders(metadata: string): Headers {
  try {
    return JSON.parse(metadata) as Headers;
  } catch {
    return {};
  }
}

function lineage(domain: Lineage | undefined): Attributes {
  return {
    ...(domain?.correlation_id && { "protean.correlation_id": domain.correlation_id }),
    ...(domain?.causation_id && { "protean.causation_id": domain.causation_id }),
  };
}

/** Of a message; ids that no trace can have begin a new one. */
function contextOf(parent: TraceParent | null | undefined): Context {
  if (!parent) return ROOT_CONTEXT;
  const spanContext: SpanContext = {
    traceId: parent.trace_id,
    spanId: parent.parent_id,
    traceFlags: parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  };
  return trace.isSpanContextValid(spanContext)
    ? trace.setSpanContext(ROOT_CONTEXT, spanContext)
    : ROOT_CONTEXT;
}

function open(span: OtelSpan, around?: OtelSpan): OpenSpan {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    trace: {
      traceparent: {
        trace_id: traceId,
        parent_id: spanId,
        sampled: (traceFlags & TraceFlags.SAMPLED) !== 0,
      },
      tracestate: null,
    },
    end: (error) => {
      ended(span, error);
      if (around) ended(around, error);
    },
  };
}

/** The error's text is none of a trace's: it may quote a payload (SEC-4). Its type and place are. */
function ended(span: OtelSpan, error: Error | undefined): void {
  if (error && span.isRecording()) {
    const message = logLine(error);
    span.addEvent("exception", { "exception.type": errorType(error), "exception.message": message });
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  }
  span.end();
}
