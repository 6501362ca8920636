/**
 * Why an export did not arrive, in words that say what to do: clients of HTTP tell of a wrong port or a missing
 * `s` in terms of bytes.
 *
 * @module
 */
import type { Destination } from "../settings.ts";

/** What the texts of clients, of several versions, have in common, and what to do then. */
const HINTS: readonly {
  readonly text: RegExp;
  readonly hint: (protocol: Destination["protocol"]) => string;
}[] = [
  {
    text: /InvalidContentType|corrupt message of type|wrong version number/i,
    hint: () => "what listens there does not speak TLS; begin the endpoint with http://",
  },
  {
    text: /invalid peer certificate|UnknownIssuer|NotValidForName|certificate (verify|has expired)/i,
    hint: () =>
      "its certificate is not one to trust; name the file of its authority in OTEL_EXPORTER_OTLP_CERTIFICATE",
  },
  {
    text: /HTTP request to an HTTPS server/i,
    hint: () => "what listens there speaks TLS; begin the endpoint with https://",
  },
  {
    text:
      /frame with invalid size|invalid HTTP version|unexpected message from connection|http2 error|HTTP\/2|connection closed before message|HTTP (404|405|415)\b|gRPC status 12\b/i,
    hint: (protocol) =>
      `there is nobody that speaks OTLP over ${protocol === "grpc" ? "gRPC" : "HTTP"} there; ` +
      "as a rule 4317 is the port of gRPC and 4318 that of HTTP, and [telemetry] protocol says which is meant",
  },
];

/** Returns a sentence's part, never empty. */
export function reasonOf(error: Error, protocol: Destination["protocol"]): string {
  // Newer versions of Deno keep the reason in the cause.
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  const said = cause && !error.message.includes(cause) ? `${error.message}: ${cause}` : error.message;
  const hint = HINTS.find(({ text }) => text.test(said))?.hint(protocol);
  return hint === undefined ? said : `${said} (${hint})`;
}
