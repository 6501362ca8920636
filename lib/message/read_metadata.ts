/**
 * Metadata as others write it, brought into our own shape (spec: wire 1.2, 1.3). What decides how a message
 * is handled (its type, its kind, its deadline) must be readable; what only informs falls back to its
 * default, because a message is worth more than its trace.
 *
 * @module
 */
import { DeserializationError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "./parse.ts";
import { utcTime } from "./time.ts";
import type {
  DomainMetadata,
  EventStorePosition,
  MessageHeaders,
  MessageMetadata,
  TraceParent,
} from "./types.ts";

const NOTHING: JsonObject = Object.freeze({});

/**
 * Reads the parsed `metadata` of a message: unknown keys are dropped, missing ones null, the flat form of old
 * Protean versions is reshaped. Throws `DeserializationError`, naming the key.
 */
export function readMetadata(given: JsonObject): MessageMetadata {
  const isFlat = Object.hasOwn(given, "fqn") && !Object.hasOwn(given, "headers");
  const headers = isFlat ? given : objectOr(given["headers"], NOTHING);
  const domain = isFlat ? given : objectOr(given["domain"], NOTHING);
  const envelope = isFlat ? NOTHING : objectOr(given["envelope"], NOTHING);
  return {
    headers: readHeaders(headers, isFlat ? given["timestamp"] : headers["time"]),
    envelope: { specversion: "1.0", checksum: readChecksum(envelope["checksum"]) },
    domain: readDomain(domain),
    event_store: readPosition(given["event_store"]),
    extensions: objectOr(given["extensions"], NOTHING),
  };
}

/**
 * An empty checksum is no checksum (wire 1.7); the flat form's `payload_hash` is of another kind. What is no
 * text is not passed over.
 */
function readChecksum(given: unknown): string | null {
  if (given === undefined || given === null || given === "") return null;
  const text = textOrNull(given);
  if (text !== null) return text;
  throw new DeserializationError("The message's 'metadata.envelope.checksum' is not a text.");
}

function readHeaders(given: JsonObject, time: unknown): MessageHeaders {
  const type = given["type"];
  if (typeof type !== "string" || type === "") {
    throw new DeserializationError("The message's 'metadata.headers.type' is missing or not a text.");
  }
  const deadline = utcTime(given["deadline"]);
  if (deadline === undefined) {
    throw new DeserializationError("The message's 'metadata.headers.deadline' is not a time.");
  }
  return {
    id: textOrNull(given["id"]) ?? "",
    time: utcTime(time) ?? null,
    type,
    stream: textOrNull(given["stream"]) ?? "",
    traceparent: readTraceParent(given["traceparent"]),
    idempotency_key: textOrNull(given["idempotency_key"]),
    deadline,
  };
}

function readDomain(given: JsonObject): DomainMetadata {
  const kind = given["kind"];
  if (kind !== "EVENT" && kind !== "COMMAND") {
    throw new DeserializationError("The message's 'metadata.domain.kind' is neither EVENT nor COMMAND.");
  }
  return {
    fqn: textOrNull(given["fqn"]),
    kind,
    origin_stream: textOrNull(given["origin_stream"]),
    stream_category: textOrNull(given["stream_category"]),
    version: readVersion(given["version"]),
    sequence_id: textOrNull(given["sequence_id"]),
    asynchronous: given["asynchronous"] !== false,
    expected_version: integerOrNull(given["expected_version"]),
    priority: integerOrNull(given["priority"]) ?? 0,
    correlation_id: textOrNull(given["correlation_id"]),
    causation_id: textOrNull(given["causation_id"]),
  };
}

/**
 * Old versions wrote `"v2"`. Messages are told apart by their type string, so an unreadable version is no
 * error.
 */
function readVersion(given: unknown): number {
  const version = typeof given === "string" ? Number(/^v?(\d+)$/i.exec(given)?.[1]) : given;
  return integerOrNull(version) ?? 1;
}

function readTraceParent(given: unknown): TraceParent | null {
  if (!isJsonObject(given)) return null;
  const { trace_id, parent_id, sampled } = given;
  if (typeof trace_id !== "string" || typeof parent_id !== "string") return null;
  return { trace_id, parent_id, sampled: sampled === true };
}

function readPosition(given: unknown): EventStorePosition | null {
  if (!isJsonObject(given)) return null;
  return {
    global_position: integerOrNull(given["global_position"]),
    position: integerOrNull(given["position"]),
  };
}

function objectOr(given: unknown, fallback: JsonObject): JsonObject {
  return isJsonObject(given) ? given : fallback;
}

function textOrNull(given: unknown): string | null {
  if (typeof given === "string") return given;
  return typeof given === "number" || typeof given === "bigint" ? String(given) : null;
}

function integerOrNull(given: unknown): number | null {
  return Number.isSafeInteger(given) ? given as number : null;
}
