/**
 * The way from the outbox to the handlers without processors, streams and timers.
 *
 * @module
 */
import type { RunOptions } from "../domain/handler_port.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { asError } from "../errors.ts";
import { canonicalJson } from "../message/canonical.ts";
import { decodeMessage, encodeRaw } from "../message/envelope.ts";
import { decodeForeign } from "../message/foreign.ts";
import { parseExact } from "../message/exact_numbers.ts";
import { categoryOf } from "../message/names.ts";
import { Batches } from "./batches.ts";
import type { FailedDelivery, PublishedMessage } from "./outcome.ts";

/** Takes what is due out of every outbox, in order, and counts it as published. */
export async function takeOutbox({ providers, config }: DomainRuntime): Promise<PublishedMessage[]> {
  const { broker, external_brokers } = config.config.outbox;
  const messages: PublishedMessage[] = [];
  for (const { outbox } of providers.values()) {
    for (const target of [broker, ...external_brokers]) {
      const lease = await outbox.lease({ broker: target, owner: "test" });
      try {
        const rows = await lease.claim(100);
        await lease.settle(rows.map(({ id }) => ({ id, status: "published" })));
        for (const { data, metadata, type, streamName } of rows) {
          messages.push({
            broker: target,
            type,
            stream: streamName,
            data: parseExact(data) as PublishedMessage["data"],
            metadata: parseExact(metadata) as PublishedMessage["metadata"],
          });
        }
      } finally {
        await lease.release();
      }
    }
  }
  return messages;
}

/**
 * Delivers to every handler that subscribes to the message's category, once; returns the failures. What handlers
 * take together is left in `batches`.
 */
export async function deliver(
  runtime: DomainRuntime,
  message: PublishedMessage,
  batches: Batches,
): Promise<FailedDelivery[]> {
  const { broker, stream } = message;
  // Over the wire format, as a broker would have it.
  const text = encodeRaw(canonicalJson(message.data), JSON.stringify(message.metadata));
  return await deliverText(
    runtime,
    { broker, stream: categoryOf(stream), id: crypto.randomUUID() },
    text,
    message,
    batches,
  );
}

/** What handlers take together, until it is flushed. */
export function batchesOf(runtime: DomainRuntime): Batches {
  return new Batches(guardOf(runtime));
}

function guardOf({ closing }: DomainRuntime): RunOptions {
  return { signal: closing, mayCommit: () => true };
}

/** An entry of a stream. */
export interface Entry {
  /** Name of the broker. */
  readonly broker: string;
  readonly stream: string;
  readonly id: string;
}

/** Delivers an entry that somebody else has written, as `deliverText` does. */
export async function receive(runtime: DomainRuntime, entry: Entry, text: string): Promise<FailedDelivery[]> {
  const { broker, stream } = entry;
  // Failures tell of it, also where it is no message.
  const { data, metadata } = decodeForeign(isForeign(text) ? text : "{}", Infinity, entry);
  const message = { broker, stream, type: metadata.headers.type, data, metadata };
  const batches = batchesOf(runtime);
  const failures = await deliverText(runtime, entry, text, message, batches);
  return [...failures, ...await batches.flush()];
}

function isForeign(text: string): boolean {
  try {
    decodeForeign(text, Infinity, { stream: "", id: "" });
    return true;
  } catch {
    return false;
  }
}

/** As `deliver`, a text to every handler that reads that stream; failures are of `message`. */
export async function deliverText(
  runtime: DomainRuntime,
  { broker, stream, id }: Entry,
  text: string,
  message: PublishedMessage,
  batches: Batches,
): Promise<FailedDelivery[]> {
  const failures: FailedDelivery[] = [];
  const { server: { max_received_bytes: most }, outbox } = runtime.config.config;
  const readers = runtime.runners.filter((runner) =>
    runner.categories.includes(stream) && (runner.broker ?? outbox.broker) === broker
  );
  for (const runner of readers) {
    try {
      const again = () => runner.decode?.(text, most, { stream, id }) ?? decodeMessage(text, most);
      const read = again();
      const verdict = runner.judge(read);
      const source = runner.decode && `${stream}/${id}`;
      if (verdict.kind === "run") {
        const key = read.metadata.headers.stream || id;
        const options = { source, again };
        failures.push(
          ...await batches.deliver(runner, {
            ...{ message: read, plan: verdict.plan, key, options, published: message },
          }),
        );
      }
      if (verdict.kind === "poison") throw verdict.error;
    } catch (error) {
      failures.push({ handler: runner.name, message, error: asError(error) });
    }
  }
  return failures;
}
