/** Collectors that are not what the endpoint says (issue 16, bad input; F24). */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import tls from "node:tls";
import { systemClock } from "../../../lib/async/clock.ts";
import { OtlpMetricExporter } from "../../../lib/telemetry/otlp/exporters.ts";
import { Transport } from "../../../lib/telemetry/otlp/transport.ts";
import { reasonOf } from "../../../lib/telemetry/otlp/reason.ts";
import type { Protocol } from "../../../lib/telemetry/settings.ts";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { certify, opensslAvailable } from "../../support/certificates.ts";
import { logged } from "../../support/logged.ts";
import { OtlpSink } from "../../support/otlp_sink.ts";

/** What the log says of three exports there; each takes half a second at most. */
async function told(
  url: string,
  protocol: Protocol,
  headers: Record<string, string> = {},
): Promise<string[]> {
  const destination = {
    ...{ exporter: "otlp" as const, protocol, url, headers },
    ...{ timeoutMs: 500, gzip: false, certificate: undefined },
  };
  const exporter = new OtlpMetricExporter(destination, systemClock);
  const nothing = { resource: resourceFromAttributes({}), scopeMetrics: [] };
  const records = await logged(async () => {
    await Promise.all(
      [1, 2, 3].map(() => new Promise<void>((resolve) => exporter.export(nothing, () => resolve()))),
    );
    await exporter.shutdown();
  });
  return records.map(({ rawMessage, properties }) => `${rawMessage} ${properties["error"]}`);
}

for (const protocol of ["grpc", "http/protobuf"] as const) {
  Deno.test(`TLS is asked of a collector without it over ${protocol}: told once, with what to do`, async () => {
    await using sink = new OtlpSink();
    const lines = await told(`https://127.0.0.1:${sink.port}/v1/metrics`, protocol);
    assertEquals(lines.length, 1);
    assertStringIncludes(lines[0] ?? "", "does not speak TLS; begin the endpoint with http://");
  });

  Deno.test({
    name: `a collector whose certificate nobody vouches for over ${protocol}: told once, with what to do`,
    ignore: !opensslAvailable,
    fn: async () => {
      const folder = await Deno.makeTempDir();
      try {
        await certify(folder);
        const [cert, key] = await Promise.all(
          ["cert.pem", "key.pem"].map((name) => Deno.readTextFile(`${folder}/${name}`)),
        );
        await using sink = new OtlpSink({ cert, key });
        const lines = await told(`https://127.0.0.1:${sink.port}/v1/metrics`, protocol);
        assertEquals(lines.length, 1);
        assertStringIncludes(lines[0] ?? "", "OTEL_EXPORTER_OTLP_CERTIFICATE");
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

Deno.test("gRPC to a server that only knows HTTP/1, and the other way round: told once, with what to do", async () => {
  for (const protocol of ["grpc", "http/protobuf"] as const) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    // To gRPC a server of HTTP/1, to HTTP/1 the first frame of a server of HTTP/2.
    const answer = protocol === "grpc"
      ? new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
      : new Uint8Array([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0x40, 0]);
    const serving = (async () => {
      for await (const connection of listener) {
        await connection.read(new Uint8Array(1024)).catch(() => {});
        await connection.write(answer).catch(() => {});
        connection.close();
      }
    })();
    const lines = await told(`http://127.0.0.1:${listener.addr.port}/v1/metrics`, protocol);
    listener.close();
    await serving;
    assertEquals(lines.length, 1);
    assertStringIncludes(lines[0] ?? "", "4317 is the port of gRPC and 4318 that of HTTP");
  }
});

Deno.test("nobody listens, or refuses: told once, with the reason", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const [gone = "", ...more] = await told(`http://127.0.0.1:${port}/v1/metrics`, "grpc");
  assertEquals(more, []);
  assert(/refused/i.test(gone), gone);
  await using sink = new OtlpSink();
  sink.answer(() => new Response("who are you?", { status: 401 }));
  assertEquals(await told(`http://127.0.0.1:${sink.port}/v1/metrics`, "http/protobuf"), [
    "telemetry.export_failed HTTP 401 who are you?",
  ]);
});

Deno.test("what clients of other versions say is understood too", () => {
  const hint = (text: string, protocol: Protocol = "grpc") => reasonOf(new Error(text), protocol);
  assertStringIncludes(
    hint("Client sent an HTTP request to an HTTPS server."),
    "begin the endpoint with https://",
  );
  assertStringIncludes(hint("connection error detected: frame with invalid size"), "OTLP over gRPC");
  assertStringIncludes(hint("HTTP 404 404 page not found", "http/protobuf"), "OTLP over HTTP");
  assertEquals(hint("tcp connect error: Connection refused"), "tcp connect error: Connection refused");
});

Deno.test("an answer without end is not read to its end", async () => {
  const chunk = new Uint8Array(16_384).fill(0x78);
  let sent = 0;
  const isOver = Promise.withResolvers<void>();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    const body = new ReadableStream<Uint8Array>({
      pull: (stream) => {
        sent += chunk.length;
        stream.enqueue(chunk);
      },
      cancel: () => isOver.resolve(),
    });
    return new Response(body, { status: 400 });
  });
  const destination = {
    ...{ protocol: "http/protobuf" as const, url: `http://127.0.0.1:${server.addr.port}/v1/metrics` },
    ...{ exporter: "otlp" as const, headers: {}, timeoutMs: 500, gzip: false, certificate: undefined },
  };
  const transport = new Transport(destination, systemClock);
  const failure = await assertRejects(() => transport.send(new Uint8Array(1)), Error);
  assertEquals(failure.message, `HTTP 400 ${"x".repeat(200)}`);
  await transport.close();
  await isOver.promise;
  assert(sent < 50_000_000, `${sent} bytes were sent`);
});

Deno.test("a file of certificates that comes later is found by the next export", async () => {
  await using sink = new OtlpSink();
  const certificate = await Deno.makeTempFile();
  await Deno.remove(certificate);
  const destination = {
    ...{ protocol: "http/protobuf" as const, url: `http://127.0.0.1:${sink.port}/v1/metrics` },
    ...{ exporter: "otlp" as const, headers: {}, timeoutMs: 100, gzip: false, certificate },
  };
  const transport = new Transport(destination, systemClock);
  try {
    await assertRejects(() => transport.send(new Uint8Array()));
    await Deno.writeTextFile(certificate, tls.rootCertificates[0] ?? "");
    await transport.send(new Uint8Array());
    assertEquals(sink.requests.length, 1);
  } finally {
    await transport.close();
    await Deno.remove(certificate);
  }
});
