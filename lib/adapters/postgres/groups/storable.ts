/**
 * What PostgreSQL refuses for its characters, found before it is sent: it would fail the group that it is
 * part of.
 *
 * @module
 */
import { ValidationError } from "../../../errors.ts";
import { unstorable, unstorableIn } from "../../../message/storable.ts";
import type { Mark, WriteSet } from "../../ports.ts";
import type { Where } from "../connection/errors.ts";

/** Throws `ValidationError` for a text that no table of PostgreSQL holds. */
export function assertStorable(where: Where, marks: readonly Mark[], { rows, outbox }: WriteSet): void {
  for (const { handler, type, messageId, checksum } of marks) {
    const reason = firstReason(handler, type, messageId, checksum);
    if (reason !== undefined) refuse(where, `marking message '${messageId}'`, reason);
  }
  for (const { table, id, state } of rows) {
    const reason = firstReason(id) ?? (state === undefined ? undefined : jsonReason(state));
    if (reason !== undefined) refuse(where, `writing '${id}' to ${table}`, reason);
  }
  for (const row of outbox) {
    const { messageId, streamName, type, data, correlationId, causationId, targetBroker, partitionKey } = row;
    const reason = firstReason(
      messageId,
      streamName,
      type,
      data,
      correlationId,
      causationId,
      targetBroker,
      partitionKey,
    ) ??
      jsonReason(row.metadata);
    if (reason !== undefined) refuse(where, "writing an outbox row", reason);
  }
}

function firstReason(...texts: readonly (string | null | undefined)[]): string | undefined {
  for (const text of texts) {
    const reason = typeof text === "string" ? unstorable(text) : undefined;
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** A binary JSON holds no escape of such a character either. */
function jsonReason(json: string): string | undefined {
  const reason = unstorable(json);
  if (reason !== undefined || !json.includes("\\u")) return reason;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // What it is not, the server says.
    return undefined;
  }
  return unstorableIn(value, json)?.reason;
}

function refuse({ name }: Where, doing: string, reason: string): never {
  throw new ValidationError(`Database '${name}' cannot store the value, ${doing}: it ${reason}.`, [], {
    outline: `Database '${name}' cannot store the value, ${doing}.`,
  });
}
