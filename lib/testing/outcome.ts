/**
 * What happened in a test: what was published and which deliveries failed.
 *
 * @module
 */
import { validate } from "../domain/elements/schema.ts";
import type { MessageType, Out, Schema } from "../domain/types.ts";
import type { MessageMetadata } from "../message/types.ts";

/** A message that left the outbox. */
export interface PublishedMessage {
  /** Name of the broker it was meant for. */
  readonly broker: string;
  readonly type: string;
  /** `my_domain::order-1`. */
  readonly stream: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: MessageMetadata;
}

/** A handler that threw, or a message that it could not read. */
export interface FailedDelivery {
  readonly handler: string;
  readonly message: PublishedMessage;
  readonly error: Error;
}

export class Outcome {
  constructor(
    /** In order, one per target broker. */
    readonly messages: readonly PublishedMessage[],
    readonly failures: readonly FailedDelivery[],
  ) {}

  /** Payloads of one type, in order, as a handler would get them. */
  published<S extends Schema>(type: MessageType<S>): Out<S>[] {
    const own = this.messages.filter((message) => message.type === type.typeString);
    // A published event goes to external brokers as well, under the same id.
    return [...new Map(own.map(({ data, metadata }) => [metadata.headers.id, data])).values()]
      .map((data) => validate(type.schema, data, `The data of ${type.name}`));
  }
}
