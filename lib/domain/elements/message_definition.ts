/**
 * Events and commands as declared, with what the domain needs to know of them beyond their public type.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { IncorrectUsageError, ValidationError } from "../../errors.ts";
import { MAX_SENT_BYTES } from "../../message/envelope.ts";
import { isJsonObject } from "../../message/parse.ts";
import type { DomainIdentity } from "./identity.ts";
import { encode } from "./schema.ts";
import type { MessageType, Row, Schema } from "../types.ts";

const log = getLogger(["protean", "domain"]);

/** `partOf` of another domain's messages. */
export const EXTERNAL = "(external)";

/** The aggregate that a message belongs to, as far as messages care. */
export interface MessageAggregate {
  readonly name: string;
  readonly identity: string;
  readonly category: string;
  readonly domain: DomainIdentity;
}

export type Upcasters = Readonly<Record<number, (data: Row) => Row>>;

interface MessageFacts<S extends Schema, A extends string> {
  readonly kind: "event" | "command";
  readonly name: string;
  readonly version: number;
  readonly typeString: string;
  readonly schema: S;
  readonly partOf: A;
  readonly aggregate?: MessageAggregate;
  readonly published?: boolean;
  readonly upcasters?: Upcasters;
  readonly identity?: string;
}

export class MessageDefinition<S extends Schema = Schema, A extends string = string>
  implements MessageType<S, A> {
  readonly kind: "event" | "command";
  readonly name: string;
  readonly version: number;
  readonly typeString: string;
  readonly schema: S;
  readonly partOf: A;
  /** Undefined for another domain's messages. */
  readonly aggregate: MessageAggregate | undefined;
  /** Goes to the external brokers as well. */
  readonly published: boolean;
  /** By version: makes a payload of that version one of the next. */
  readonly upcasters: Upcasters;
  /** Commands: the field that names the addressed aggregate, where it was told. */
  readonly identity: string | undefined;
  #isLargeTold = false;

  constructor(facts: MessageFacts<S, A>) {
    this.kind = facts.kind;
    this.name = facts.name;
    this.version = facts.version;
    this.typeString = facts.typeString;
    this.schema = facts.schema;
    this.partOf = facts.partOf;
    this.aggregate = facts.aggregate;
    this.published = facts.published ?? false;
    this.upcasters = facts.upcasters ?? {};
    this.identity = facts.identity;
  }

  /** `event OrderPlaced`, for messages to people. */
  get label(): string {
    return `${this.kind} ${this.name}`;
  }

  /**
   * Validates `data`; returns the payload and its canonical text. Throws `ValidationError`, also where the
   * payload alone is larger than a message may be.
   */
  encode(data: unknown): { readonly payload: Readonly<Row>; readonly text: string } {
    const what = `The data of ${this.label}`;
    const { json, text } = encode(this.schema, data, what);
    if (!isJsonObject(json)) throw new ValidationError(`${what} must be an object: every payload is one.`);
    // Canonical text is ASCII.
    assertSize(what, text.length, this.aggregate?.domain.maxMessageBytes() ?? MAX_SENT_BYTES);
    if (text.length >= LARGE_BYTES && !this.#isLargeTold) this.#tellLarge(text.length);
    return { payload: json, text };
  }

  /** Once for a type: one that is large once is large again. */
  #tellLarge(bytes: number): void {
    this.#isLargeTold = true;
    log.warn("message.large", {
      ...{ message_type: this.typeString, bytes },
      hint: "Redis keeps every payload in memory: keep large data elsewhere, and send a reference.",
    });
  }
}

/** From here on a payload is worth a word: Redis keeps it in memory, once for each stream. */
const LARGE_BYTES = 128 * 1024;

/** Throws `ValidationError` for what is larger than `max_message_bytes`, `most`, allows. */
export function assertSize(what: string, bytes: number, most: number): void {
  if (bytes <= most) return;
  throw new ValidationError(
    `${what} has ${bytes} bytes as JSON, more than the ${most} of max_message_bytes in [server]: send a reference ` +
      "to the rest, or raise the limit on every server that reads it.",
    [],
    { code: "MESSAGE_TOO_LARGE" },
  );
}

/** The definition behind a public message type. Throws `IncorrectUsageError` for what no domain has made. */
export function messageOf(
  message: MessageType,
  kind?: "event" | "command",
): MessageDefinition {
  if (!(message instanceof MessageDefinition)) {
    throw new IncorrectUsageError(
      "This is not a message type: use what domain.event(…), domain.command(…) or domain.externalEvent(…) returned.",
    );
  }
  if (kind !== undefined && message.kind !== kind) {
    throw new IncorrectUsageError(
      kind === "command"
        ? `${message.name} is an event: publish it, or process a command.`
        : `${message.name} is a command: process it, or use an event.`,
    );
  }
  return message;
}
