/**
 * A flood of the same line is no flood of the log: of what one part of the server says of one subject, the first
 * lines of each interval are written, and how many more there were (`log.repeated`). What handlers write, what is
 * written at debug and who has changed what (`audit`) goes through as it is.
 *
 * @module
 */
import type { LogRecord } from "@logtape/logtape";
import type { Clock } from "../async/clock.ts";
import { Sparing } from "../async/sparing.ts";

/** Lines of one kind in each ten seconds. */
const LIMIT = { most: 20, everyMs: 10_000 };
/** Kinds that are kept apart; of more, the one that began first is forgotten. */
const MOST_KINDS = 500;
/** What tells one subject from another. */
const SUBJECTS = [
  "handler",
  "subscription",
  "processor",
  "stream",
  "dlq_stream",
  "broker",
  "provider",
  "name",
];
const MAX_KEY = 500;

export class FloodGuard {
  readonly #clock: Clock;
  readonly #write: (record: LogRecord) => void;
  readonly #kinds = new Map<string, Sparing>();

  /** `write`: takes what is written, and what is told of the rest. */
  constructor(clock: Clock, write: (record: LogRecord) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  /** Writes it, or counts it. */
  take(record: LogRecord): void {
    if (!isGuarded(record) || this.#of(record).allows()) this.#write(record);
  }

  /** Tells what it has kept to itself; every timer is cleared. */
  close(): void {
    for (const kind of this.#kinds.values()) kind.close();
    this.#kinds.clear();
  }

  #of(record: LogRecord): Sparing {
    const { category, level, properties } = record;
    const event = typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("");
    const subject = Object.fromEntries(
      SUBJECTS.flatMap((key) => typeof properties[key] === "string" ? [[key, properties[key]]] : []),
    );
    const key = [...category, level, event, ...Object.values(subject)].join("\n").slice(0, MAX_KEY);
    const known = this.#kinds.get(key);
    if (known) return known;
    const [oldest] = this.#kinds;
    if (oldest && this.#kinds.size >= MOST_KINDS) {
      oldest[1].close();
      this.#kinds.delete(oldest[0]);
    }
    const kind = new Sparing({
      clock: this.#clock,
      ...LIMIT,
      rest: (times) =>
        this.#write({
          ...{ category, level, message: ["log.repeated"], rawMessage: "log.repeated" },
          ...{ timestamp: this.#clock.now(), properties: { of: event, ...subject, times } },
        }),
    });
    this.#kinds.set(key, kind);
    return kind;
  }
}

function isGuarded({ category: [first, second], level }: LogRecord): boolean {
  return first === "protean" && second !== "handler" && level !== "debug" && level !== "trace" &&
    level !== "fatal";
}
