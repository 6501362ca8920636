/**
 * A collector for tests: takes OTLP over gRPC, HTTP protobuf and HTTP JSON, and decodes it.
 *
 * @module
 */
import { decode, METRICS, TRACES } from "./otlp_messages.ts";

/** A data point, with its attributes as plain values. */
export interface SinkPoint {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** Of a histogram. */
  readonly count?: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface SinkSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly failed: boolean;
  /** Its status and its events, as they came. */
  readonly told: readonly unknown[];
}

export interface OtlpRequest {
  readonly path: string;
  readonly contentType: string;
  readonly headers: Headers;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly points: readonly SinkPoint[];
  readonly spans: readonly SinkSpan[];
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface Point {
  readonly asInt?: unknown;
  readonly asDouble?: unknown;
  readonly sum?: unknown;
  readonly count?: unknown;
  readonly attributes: readonly KeyValue[];
}
interface Points {
  readonly dataPoints: readonly Point[];
}
interface Body {
  readonly resourceMetrics?: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly name: string;
        readonly unit: string;
        readonly sum?: Points;
        readonly gauge?: Points;
        readonly histogram?: Points;
      }[];
    }[];
  }[];
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly traceId: string | Uint8Array;
        readonly spanId: string | Uint8Array;
        readonly parentSpanId?: string | Uint8Array;
        readonly attributes: readonly KeyValue[];
        readonly status?: { readonly code?: unknown; readonly message?: string };
        readonly events?: readonly unknown[];
      }[];
    }[];
  }[];
}

/** What the sink answers instead of taking it. */
export type Answering = (request: Request) => Response | Promise<Response> | undefined;

export class OtlpSink implements AsyncDisposable {
  readonly requests: OtlpRequest[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #arrived = Promise.withResolvers<void>();
  #answering: Answering = () => undefined;

  constructor(tls: Deno.TlsCertifiedKeyPem | object = {}) {
    this.#server = Deno.serve(
      { ...tls, hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#take(request),
    );
  }

  get port(): number {
    return this.#server.addr.port;
  }

  /** From now on. */
  answer(answering: Answering): void {
    this.#answering = answering;
  }

  /** Resolves once what has arrived is as it should be. */
  async until(done: (sink: OtlpSink) => boolean): Promise<void> {
    while (!done(this)) await this.#arrived.promise;
  }

  /** The latest value of every series of an instrument, as reported. */
  points(name: string): readonly SinkPoint[] {
    const latest = new Map<string, SinkPoint>();
    for (const point of this.requests.flatMap(({ points }) => points)) {
      if (point.name === name) latest.set(JSON.stringify(point.attributes), point);
    }
    return [...latest.values()];
  }

  get spans(): readonly SinkSpan[] {
    return this.requests.flatMap(({ spans }) => spans);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #take(request: Request): Promise<Response> {
    const instead = await this.#answering(request);
    if (instead) return instead;
    const contentType = request.headers.get("content-type") ?? "";
    const path = new URL(request.url).pathname;
    const isGrpc = contentType === "application/grpc";
    let bytes = new Uint8Array(await request.arrayBuffer());
    if (request.headers.get("content-encoding") === "gzip") {
      const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      bytes = new Uint8Array(await new Response(unpacked).arrayBuffer());
    }
    if (isGrpc) bytes = bytes.subarray(5);
    const schema = /trace/i.test(path) ? TRACES : METRICS;
    const body = contentType === "application/json"
      ? JSON.parse(new TextDecoder().decode(bytes)) as Body
      : decode(bytes, schema) as Body;
    this.requests.push({
      ...{ path, contentType, headers: request.headers },
      resource: valuesOf((body.resourceMetrics ?? body.resourceSpans)?.[0]?.resource.attributes ?? []),
      points: pointsOf(body),
      spans: spansOf(body),
    });
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
    if (!isGrpc) return new Response("{}", { headers: { "content-type": contentType } });
    return new Response(new Uint8Array(5), {
      headers: { "content-type": "application/grpc", "grpc-status": "0" },
    });
  }
}

function pointsOf({ resourceMetrics = [] }: Body): SinkPoint[] {
  return resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics).flatMap((scope) => scope.metrics)
    .flatMap(({ name, unit, sum, gauge, histogram }) =>
      (sum ?? gauge ?? histogram)?.dataPoints.map((point) => ({
        name,
        unit,
        value: Number(point.asInt ?? point.asDouble ?? point.sum),
        ...(point.count !== undefined && { count: Number(point.count) }),
        attributes: valuesOf(point.attributes),
      })) ?? []
    );
}

function spansOf({ resourceSpans = [] }: Body): SinkSpan[] {
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans)
    .map(({ name, traceId, spanId, parentSpanId, attributes, status, events = [] }) => ({
      name,
      traceId: hex(traceId),
      spanId: hex(spanId),
      parentSpanId: hex(parentSpanId ?? ""),
      attributes: valuesOf(attributes),
      failed: Number(status?.code ?? 0) === 2,
      told: [status?.message, ...events],
    }));
}

function valuesOf(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

function hex(id: string | Uint8Array): string {
  if (typeof id === "string") return id;
  return [...id].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
