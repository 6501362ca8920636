/**
 * The way from the outbox to the handlers without processors, streams and timers.
 *
 * @module
 */
import type { DomainRuntime } from "../domain/runtime.ts";
import { asError } from "../errors.ts";
import { canonicalJson } from "../message/canonical.ts";
import { decodeMessage, encodeRaw } from "../message/envelope.ts";
import { parseExact } from "../message/exact_numbers.ts";
import { categoryOf } from "../message/names.ts";
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

/** Delivers to every handler that subscribes to the message's category, once; returns the failures. */
export async function deliver(runtime: DomainRuntime, message: PublishedMessage): Promise<FailedDelivery[]> {
  const failures: FailedDelivery[] = [];
  if (message.broker !== runtime.config.config.outbox.broker) return failures;
  const category = categoryOf(message.stream);
  const options = { signal: runtime.closing, mayCommit: () => true };
  for (const runner of runtime.runners.filter(({ categories }) => categories.includes(category))) {
    try {
      // Over the wire format, as a broker would have it.
      const text = encodeRaw(canonicalJson(message.data), JSON.stringify(message.metadata));
      const again = () => decodeMessage(text, runtime.config.config.server.max_received_bytes);
      const read = again();
      const verdict = runner.judge(read);
      if (verdict.kind === "run") await runner.run(read, verdict.plan, { ...options, again });
      if (verdict.kind === "poison") throw verdict.error;
    } catch (error) {
      failures.push({ handler: runner.name, message, error: asError(error) });
    }
  }
  return failures;
}
