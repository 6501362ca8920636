/** Which traces that begin here are kept, and what the others carry on (wire 9.4; issue 16, 4). */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  AlwaysOnSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { Traces } from "../../../lib/telemetry/traces/traces.ts";
import type { Message, TraceParent } from "../../../lib/message/types.ts";

function rig(ratio: number, random: () => number) {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const traces = new Traces(provider.getTracer("protean"), { worker: "w", ratio, random });
  return { traces, spans: () => exporter.getFinishedSpans().length, exporter };
}

function message(traceparent: TraceParent | null): Message {
  return {
    data: {},
    metadata: {
      headers: {
        ...{ id: "m", time: null, type: "Shop.Placed.v1", stream: "shop::order-1", traceparent },
        ...{ idempotency_key: null, deadline: null },
      },
      envelope: { specversion: "1.0", checksum: null },
      domain: {
        ...{ fqn: null, kind: "EVENT", origin_stream: null, stream_category: null, version: 1 },
        ...{ sequence_id: null, asynchronous: true, expected_version: null, priority: 0 },
        ...{ correlation_id: null, causation_id: null },
      },
      event_store: null,
      extensions: {},
    },
  };
}

const parent = (sampled: boolean): TraceParent => ({
  ...{ trace_id: "0af7651916cd43dd8448eb211c80319c", parent_id: "b7ad6b7169203331", sampled },
});

Deno.test("of the traces that begin here the share is begun; what the others write says that they are not kept", () => {
  let next = 0;
  const { traces, spans } = rig(0.25, () => (next++ % 100) / 100);
  const kept = Array.from({ length: 400 }, () => {
    const span = traces.handler("Shipping", message(null), "event_handler");
    span.end();
    const { traceparent } = span.trace;
    assertEquals(span.trace.traceparent, traceparent);
    assertMatch(`${traceparent.trace_id} ${traceparent.parent_id}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
    const goesOn = traces.commit(span.trace) !== undefined;
    assertEquals(goesOn, traceparent.sampled);
    return traceparent.sampled;
  });
  assertEquals(kept.filter((sampled) => sampled).length, 100);
  // Each is of the message and of its handler.
  assertEquals(spans(), 200);
});

Deno.test("what comes with a message holds, whatever the share is; ids that no trace has begin a new one", () => {
  const { traces, spans } = rig(0.5, () => 0.9);
  for (const sampled of [true, false]) {
    const span = traces.handler("Shipping", message(parent(sampled)), "event_handler");
    span.end();
    assertEquals([span.trace.traceparent.trace_id, span.trace.traceparent.sampled], [
      parent(true).trace_id,
      sampled,
    ]);
  }
  assertEquals(spans(), 2);
  const none = traces.handler(
    "Shipping",
    message({ ...parent(true), trace_id: "0".repeat(32) }),
    "event_handler",
  );
  assertEquals(none.trace.traceparent.sampled, false);
  assert(none.trace.traceparent.trace_id !== "0".repeat(32));
  assertEquals(traces.command("Shop.Place.v1").trace.traceparent.sampled, false);
});

Deno.test("an error is recorded by its type and place: its text may quote a payload", () => {
  const { traces, exporter } = rig(1, () => 0);
  traces.handler("Shipping", message(null), "event_handler").end(new TypeError("iban DE02 is no address"));
  const spans = exporter.getFinishedSpans();
  assertEquals(spans.length, 2);
  for (const { status, events } of spans) {
    for (const said of [status.message, events[0]?.attributes?.["exception.message"]]) {
      assertMatch(String(said), /^TypeError at .*traces_test\.ts:\d+:\d+\)?$/);
    }
  }
});
