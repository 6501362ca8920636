/**
 * Subscribers at work: whatever is on another system's stream is theirs, as long as it is a JSON object.
 *
 * @module
 */
import { decodeForeign, type EntryPlace } from "../../message/foreign.ts";
import type { Message } from "../../message/types.ts";
import type { Verdict } from "../handler_port.ts";
import { ElementRunner } from "./runner.ts";

export class SubscriberRunner extends ElementRunner {
  decode(text: string | undefined, maxBytes: number, place: EntryPlace): Message {
    return decodeForeign(text, maxBytes, place);
  }

  override bind(settings: { readonly idempotent: boolean }): SubscriberRunner {
    return new SubscriberRunner(this.runtime, this.model, this.handler, settings.idempotent);
  }

  override judge(message: Message): Verdict {
    return { kind: "run", plan: { payload: message.data, methods: this.handler.catchAll } };
  }
}
