/**
 * What the letters of a queue in Redis failed of: the hash `<dlq>:groups`, and notes in `<dlq>:notes`.
 *
 * @module
 */
import { failureGroups, failureNotes } from "../../message/names.ts";
import { MOST_NOTES, OTHER } from "../failure_book.ts";
import type { FailureCount, FailureFigures, FailureGroups } from "../ports.ts";
import type { Endpoint } from "./endpoint.ts";
import { countOn, figures, note } from "./failure_scripts.ts";
import type { KeyOf } from "./keys.ts";

/** Letters that one script counts. */
const COUNT_STEP = 50;
const OUTCOMES = { "1": "kept", "0": "unknown", "-1": "full" } as const;

type Pairs = readonly string[];

export class RedisFailureGroups implements FailureGroups {
  readonly #endpoint: Endpoint;
  readonly #keyOf: KeyOf;

  constructor(endpoint: Endpoint, keyOf: KeyOf) {
    this.#endpoint = endpoint;
    this.#keyOf = keyOf;
  }

  async figures(stream: string): Promise<FailureFigures> {
    const keys = [stream, failureGroups(stream), failureNotes(stream)].map((name) => this.#keyOf(name));
    const reply = await this.#endpoint.run((client) => figures.run(client, keys, []), {
      ...{ key: stream, repeatable: true },
    });
    const [depth, first, last, groups, notes] = reply as [number, string, string, Pairs, Pairs];
    const kept = new Map(pairsOf(groups));
    return {
      depth,
      oldest: timeOf(first),
      newest: timeOf(last),
      counted: Number(kept.get("counted")?.split(" ")[1] ?? 0),
      groups: [...kept].flatMap(([fingerprint, text]) => countOf(fingerprint, text) ?? []),
      notes: new Map(pairsOf(notes)),
    };
  }

  async countOn(stream: string, limit: number, signal?: AbortSignal): Promise<number> {
    const keys = [stream, failureGroups(stream)].map((name) => this.#keyOf(name));
    let counted = 0;
    // Whoever removes letters without lowering them, again and again, does not keep this going.
    for (let again = 0; counted < limit && again < 2 && !signal?.aborted;) {
      const most = Math.min(COUNT_STEP, limit - counted);
      const [some, more] = await this.#endpoint.run(
        (client) => countOn.run(client, keys, [most]),
        { key: stream },
      ) as [number, number];
      counted += some;
      if (more === 0) break;
      if (some === 0) again++;
    }
    return counted;
  }

  async note(
    stream: string,
    fingerprint: string,
    text: string,
  ): ReturnType<FailureGroups["note"]> {
    const keys = [failureGroups(stream), failureNotes(stream)].map((name) => this.#keyOf(name));
    const outcome = await this.#endpoint.run(
      (client) => note.run(client, keys, [fingerprint, text, MOST_NOTES]),
      { key: stream },
    );
    return OUTCOMES[String(outcome) as keyof typeof OUTCOMES];
  }
}

function pairsOf(flat: Pairs): [string, string][] {
  return Array.from({ length: flat.length >> 1 }, (_, at) => [flat[2 * at] ?? "", flat[2 * at + 1] ?? ""]);
}

function timeOf(id: string): number | undefined {
  return id === "" ? undefined : Number(id.split("-", 1)[0]);
}

/** Undefined for what is no group. */
function countOf(fingerprint: string, text: string): FailureCount | undefined {
  const [, count, first, last, facts] = /^(\d+) (\d+) (\d+) (.*)$/s.exec(text) ?? [];
  if (facts === undefined) return undefined;
  const [handler = OTHER, named = 0, errorType = OTHER, type = OTHER] = JSON.parse(facts) as [
    ...[handler?: string, named?: number, errorType?: string, type?: string],
  ];
  return {
    ...{ fingerprint, handler, named: named === 1, errorType, type },
    ...{ count: Number(count), first: Number(first), last: Number(last) },
  };
}
