/**
 * Dead-letter streams in Redis.
 *
 * @module
 */
import type {
  DeadLetterRange,
  DeadLetters,
  FeedMark,
  OriginalEntry,
  ReplayedToOther,
  StreamEntry,
} from "../ports.ts";
import { TextBudget } from "../entry_text.ts";
import { compareIdTexts, cursorText, isStreamId } from "../stream_id.ts";
import type { Endpoint } from "./endpoint.ts";
import { next } from "./entries.ts";
import { unlessRefused } from "./faults.ts";
import type { KeyOf, StreamKey } from "./keys.ts";
import { isLiveOther } from "./others.ts";
import { consumersOf, MEMBERS } from "./presence.ts";
import { entriesRanged } from "./replies.ts";
import { feed } from "./feed_script.ts";
import {
  move,
  oldestId,
  purge,
  releaseLetter,
  remove,
  replay,
  replayToOther,
  trimBefore,
} from "./dead_letter_scripts.ts";
import { RedisFailureGroups } from "./failure_groups.ts";
import { failureGroups, isCounted } from "../../message/names.ts";
import type { Script } from "./scripts.ts";

/** Letters of a page that is bounded by bytes which are asked for at first. */
const FIRST_STEP = 8;
/** Most letters that one script removes, moves or trims, so that nobody waits for it. */
const REMOVE_STEP = 50;
const MOVE_STEP = 50;
const TRIM_STEP = 100;

export class RedisDeadLetters implements DeadLetters {
  readonly failures: RedisFailureGroups;
  readonly #endpoint: Endpoint;
  readonly #keyOf: KeyOf;

  constructor(endpoint: Endpoint, keyOf: KeyOf) {
    this.#endpoint = endpoint;
    this.#keyOf = keyOf;
    this.failures = new RedisFailureGroups(endpoint, keyOf);
  }

  async depth(stream: string): Promise<number> {
    return await this.#endpoint.run((client) => client.xlen(this.#keyOf(stream)), {
      key: stream,
      repeatable: true,
    });
  }

  async list(
    stream: string,
    { direction = "forwards", after, limit, maxBytes, maxEntryBytes }: DeadLetterRange,
  ): Promise<readonly StreamEntry[]> {
    const command = direction === "backwards" ? "XREVRANGE" : "XRANGE";
    if (after !== undefined) cursorText(after);
    const budget = new TextBudget({ maxBytes, maxEntryBytes });
    const found: StreamEntry[] = [];
    // Without a bound, all at once; else in steps, for nobody knows beforehand how large they are.
    for (let step = maxBytes === undefined ? limit : FIRST_STEP; found.length < limit; step = next(step)) {
      const most = Math.min(step, limit - found.length);
      const some = await this.#page(command, stream, found.at(-1)?.id ?? after, most, budget);
      const whole = some.filter(({ omitted }) => omitted === undefined);
      found.push(...whole);
      if (some.length < most || whole.length < some.length || budget.spent) break;
    }
    return found;
  }

  async oldest(stream: string): Promise<number | undefined> {
    const keys = [this.#keyOf(stream)];
    const id = await this.#endpoint.run((client) => oldestId.run(client, keys, []), {
      ...{ key: stream, repeatable: true },
    });
    return typeof id === "string" ? Number(id.split("-", 1)[0]) : undefined;
  }

  async trimBefore(stream: string, ms: number, limit: number): Promise<number> {
    if (ms <= 0) return 0;
    const before = `${Math.ceil(ms)}-0`;
    const keys = this.#counted(stream);
    let trimmed = 0;
    for (let more = true; more && trimmed < limit;) {
      const most = Math.min(limit - trimmed, TRIM_STEP);
      const [gone, full] = await this.#endpoint.run(
        (client) => trimBefore.run(client, keys, [before, most]),
        { key: stream },
      ) as [number, number];
      trimmed += gone;
      more = gone === most || full === 1;
    }
    return trimmed;
  }

  async get(stream: string, id: string, maxEntryBytes?: number): Promise<StreamEntry | undefined> {
    if (!isStreamId(id)) return undefined;
    return (await this.#range("XRANGE", stream, id, id, 1, new TextBudget({ maxEntryBytes })))[0];
  }

  async replay(stream: string, id: string, lane: string, group: string): Promise<boolean> {
    if (!isStreamId(id)) return false;
    const keys = this.#counted(stream, lane);
    const { settings } = this.#endpoint.server;
    const moved = await this.#endpoint.run(
      async (client) => unlessRefused(await replay.run(client, keys, [id, group]), settings, lane),
      { key: stream },
    );
    return moved === 1;
  }

  async replayToOther(
    stream: string,
    id: string,
    { stream: from, id: entry, group }: OriginalEntry,
  ): Promise<ReplayedToOther> {
    if (!isStreamId(id)) return "gone";
    if (!isStreamId(entry) || !entry.includes("-")) return "trimmed";
    const keys = this.#counted(stream, from);
    return await this.#endpoint.run(async (client) => {
      const peers = await consumersOf(client, { key: keys[1] as StreamKey, group }, this.#keyOf(MEMBERS));
      const [other] = peers.filter(isLiveOther).sort((a, b) => a.idleMs - b.idleMs);
      // The script says what is wrong before it looks for the consumer.
      return await replayToOther.run(client, keys, [id, group, entry, other?.name ?? ""]);
    }, { key: from }) as ReplayedToOther;
  }

  async move(stream: string, ids: readonly string[], to: string): Promise<number> {
    const keys = this.#counted(stream, to);
    if (isCounted(stream) && isCounted(to)) keys.push(this.#keyOf(failureGroups(to)));
    return await this.#inSteps(move, keys, ids, { stream, most: MOVE_STEP });
  }

  async release(stream: string, id: string, to: string, data: string): Promise<boolean> {
    if (!isStreamId(id)) return false;
    const keys = this.#counted(stream, to);
    const released = await this.#endpoint.run((client) => releaseLetter.run(client, keys, [id, data]), {
      key: to,
    });
    return released === 1;
  }

  async feed(
    lane: string,
    group: string,
    texts: readonly string[],
    { id, from, to }: FeedMark,
  ): Promise<string> {
    const keys = [this.#keyOf(lane), this.#keyOf(`${lane}:fed`)];
    const { settings } = this.#endpoint.server;
    const at = await this.#endpoint.run(
      async (client) =>
        unlessRefused(await feed.run(client, keys, [group, id, from, to, ...texts]), settings, lane),
      { key: lane },
    );
    return String(at);
  }

  async remove(stream: string, ids: readonly string[]): Promise<number> {
    return await this.#inSteps(remove, this.#counted(stream), ids, { stream, most: REMOVE_STEP });
  }

  async purge(stream: string, last?: string): Promise<number> {
    const keys = this.#counted(stream);
    const args = last === undefined ? [] : [cursorText(last)];
    return Number(await this.#endpoint.run((client) => purge.run(client, keys, args), { key: stream }));
  }

  /** The keys of a queue, of other streams, and of what counts the letters of the queue, if it is one. */
  #counted(stream: string, ...others: readonly string[]): StreamKey[] {
    const groups = isCounted(stream) ? [failureGroups(stream)] : [];
    return [stream, ...others, ...groups].map((name) => this.#keyOf(name));
  }

  /** Runs a script until it has looked for all ids; it stops before, where texts are large. */
  async #inSteps(
    script: Script,
    keys: readonly StreamKey[],
    ids: readonly string[],
    { stream, most }: { readonly stream: string; readonly most: number },
  ): Promise<number> {
    const known = ids.filter((id) => isStreamId(id));
    let changed = 0;
    for (let at = 0; at < known.length;) {
      const step = known.slice(at, at + most);
      const [asked, done] = await this.#endpoint.run(
        (client) => script.run(client, keys, step),
        { key: stream },
      ) as [number, number];
      at += asked;
      changed += done;
    }
    return changed;
  }

  async #page(
    command: "XRANGE" | "XREVRANGE",
    stream: string,
    after: string | undefined,
    limit: number,
    budget: TextBudget,
  ): Promise<readonly StreamEntry[]> {
    const backwards = command === "XREVRANGE";
    // Redis takes "before the first id" for an error.
    if (limit < 1 || backwards && after !== undefined && compareIdTexts(after, "0-0") === 0) return [];
    // Written out: of `5` alone, XREVRANGE would make the last id of that millisecond.
    const start = after && `(${after.includes("-") ? after : `${after}-0`}`;
    return backwards
      ? await this.#range(command, stream, start ?? "+", "-", limit, budget)
      : await this.#range(command, stream, start ?? "-", "+", limit, budget);
  }

  async #range(
    command: "XRANGE" | "XREVRANGE",
    stream: string,
    from: string,
    to: string,
    limit: number,
    budget: TextBudget,
  ): Promise<readonly StreamEntry[]> {
    const args = [this.#keyOf(stream), from, to, "COUNT", limit];
    const reply = await this.#endpoint.run((client) => client.callBuffer(command, args), {
      key: stream,
      repeatable: true,
    });
    return await entriesRanged(reply, budget);
  }
}
