/**
 * One export over the wire: OTLP over HTTP, or over gRPC by a client of HTTP/2. The official gRPC exporter
 * fails silently in what Deno 2.5 and 2.6 compile (`spec/platform.md`); a unary call is one request with five
 * bytes before its message, and `fetch` sends that everywhere.
 *
 * @module
 */
import { type Clock, sleep } from "../../async/clock.ts";
import { asError } from "../../errors.ts";
import { readCertificates } from "../../config/pem_file.ts";
import type { Destination } from "../settings.ts";

/** Answers after which the same is worth another try (OTLP's own list). */
const TRY_AGAIN: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Codes of gRPC of the same kind: cancelled, deadline, exhausted, aborted, out of range, unavailable, data loss. */
const TRY_AGAIN_GRPC: ReadonlySet<number> = new Set([1, 4, 8, 10, 11, 14, 15]);
const FIRST_WAIT_MS = 500;
/** Of an answer's text, for the log. */
const MOST_TEXT = 200;
/** Of an answer so much is read: what is longer is no collector's, and may have no end. */
const MOST_BYTES = 65_536;

export class Transport {
  readonly #destination: Destination;
  readonly #clock: Clock;
  #client: Promise<Deno.HttpClient> | undefined;
  readonly #closing = new AbortController();

  constructor(destination: Destination, clock: Clock) {
    this.#destination = destination;
    this.#clock = clock;
  }

  /**
   * Sends it, again where that is worth it and the time of one export allows. Rejects with why it did not
   * arrive.
   */
  async send(body: Uint8Array): Promise<void> {
    const { timeoutMs } = this.#destination;
    const over = new AbortController();
    const cancel = this.#clock.after(
      timeoutMs,
      () => over.abort(new Error(`no answer within ${timeoutMs} ms`)),
    );
    const stop = () => over.abort(this.#closing.signal.reason);
    this.#closing.signal.addEventListener("abort", stop, { once: true });
    if (this.#closing.signal.aborted) stop();
    try {
      for (let wait = FIRST_WAIT_MS;; wait *= 2) {
        const failure = await this.#once(body, over.signal);
        if (!failure) return;
        if (!failure.again) throw failure.error;
        await sleep(this.#clock, wait, over.signal);
        if (over.signal.aborted) throw failure.error;
      }
    } finally {
      cancel();
      this.#closing.signal.removeEventListener("abort", stop);
    }
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the server is stopping"));
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    client?.close();
  }

  async #once(
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ readonly error: Error; readonly again: boolean } | undefined> {
    const { url, headers, protocol } = this.#destination;
    let response: Response;
    try {
      const client = await (this.#client ??= this.#connected());
      response = await fetch(url, {
        ...{ method: "POST", client, signal, redirect: "manual" as const },
        headers: { ...headers, ...await this.#contentHeaders() },
        body: await this.#encoded(body) as Uint8Array<ArrayBuffer>,
      });
    } catch (error) {
      if (signal.aborted) return { error: asError(signal.reason), again: false };
      return { error: asError(error), again: true };
    }
    const text = await beginning(response).catch(() => "");
    if (protocol !== "grpc") {
      if (response.ok) return undefined;
      const error = new Error(`HTTP ${response.status} ${text.slice(0, MOST_TEXT)}`.trim());
      return { error, again: TRY_AGAIN.has(response.status) };
    }
    // A call that fails answers with its status among the headers; one that worked, in trailers behind the body.
    const status = Number(response.headers.get("grpc-status") ?? (response.ok ? 0 : 2));
    if (status === 0 && response.ok) return undefined;
    const said = response.headers.get("grpc-message") ?? `HTTP ${response.status}`;
    return {
      error: new Error(`gRPC status ${status}: ${said.slice(0, MOST_TEXT)}`),
      again: TRY_AGAIN_GRPC.has(status) || TRY_AGAIN.has(response.status),
    };
  }

  /** What could not be made, for a file that is not there yet, is tried again with the next export. */
  async #connected(): Promise<Deno.HttpClient> {
    try {
      return await this.#connect();
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }

  async #connect(): Promise<Deno.HttpClient> {
    const { certificate, protocol } = this.#destination;
    const caCerts = certificate === undefined
      ? undefined
      : await readCertificates(certificate, "OTEL_EXPORTER_OTLP_CERTIFICATE");
    return Deno.createHttpClient({
      ...(caCerts !== undefined && { caCerts: [caCerts] }),
      ...(protocol === "grpc" ? { http1: false, http2: true } : {}),
      poolMaxIdlePerHost: 1,
    });
  }

  #contentHeaders(): Record<string, string> {
    const { protocol, gzip } = this.#destination;
    if (protocol === "grpc") return { "content-type": "application/grpc", te: "trailers" };
    const type = protocol === "http/json" ? "application/json" : "application/x-protobuf";
    return { "content-type": type, ...(gzip && { "content-encoding": "gzip" }) };
  }

  async #encoded(body: Uint8Array): Promise<Uint8Array> {
    const { protocol, gzip } = this.#destination;
    if (protocol === "grpc") {
      const framed = new Uint8Array(body.length + 5);
      new DataView(framed.buffer).setUint32(1, body.length);
      framed.set(body, 5);
      return framed;
    }
    if (!gzip) return body;
    const packed = new Blob([body as Uint8Array<ArrayBuffer>]).stream().pipeThrough(
      new CompressionStream("gzip"),
    );
    return new Uint8Array(await new Response(packed).arrayBuffer());
  }
}

/** The answer's text, or as much of it as is looked at. Rejects where it breaks off. */
async function beginning({ body }: Response): Promise<string> {
  if (!body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let read = 0;
  for await (const bytes of body) {
    if (text.length < MOST_TEXT) text += decoder.decode(bytes.subarray(0, MOST_BYTES), { stream: true });
    read += bytes.length;
    if (read > MOST_BYTES) break;
  }
  return text;
}
