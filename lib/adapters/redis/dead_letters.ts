/**
 * Dead-letter streams in Redis.
 *
 * @module
 */
import type { DeadLetters, StreamEntry } from "../ports.ts";
import { parseCursor, parseStreamId } from "../stream_id.ts";
import type { Endpoint } from "./endpoint.ts";
import { entriesRanged } from "./replies.ts";
import { purge, replay } from "./scripts.ts";

/** Ids in one XDEL. */
const REMOVE_STEP = 1_000;

export class RedisDeadLetters implements DeadLetters {
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  async depth(stream: string): Promise<number> {
    return await this.#endpoint.run((client) => client.xlen(stream), { key: stream, repeatable: true });
  }

  async list(
    stream: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StreamEntry[]> {
    const { after, limit } = options;
    parseCursor(after);
    if (limit < 1) return [];
    return await this.#range(stream, after === undefined ? "-" : `(${after}`, "+", limit);
  }

  async get(stream: string, id: string): Promise<StreamEntry | undefined> {
    if (!parseStreamId(id)) return undefined;
    return (await this.#range(stream, id, id, 1))[0];
  }

  async replay(stream: string, id: string, lane: string, group: string): Promise<boolean> {
    if (!parseStreamId(id)) return false;
    const moved = await this.#endpoint.run((client) => replay.run(client, [stream, lane], [id, group]), {
      key: stream,
    });
    return moved === 1;
  }

  async remove(stream: string, ids: readonly string[]): Promise<number> {
    const known = ids.filter((id) => parseStreamId(id));
    let removed = 0;
    for (let at = 0; at < known.length; at += REMOVE_STEP) {
      const step = known.slice(at, at + REMOVE_STEP);
      removed += await this.#endpoint.run((client) => client.xdel(stream, ...step), { key: stream });
    }
    return removed;
  }

  async purge(stream: string): Promise<number> {
    return Number(await this.#endpoint.run((client) => purge.run(client, [stream], []), { key: stream }));
  }

  async #range(stream: string, from: string, to: string, limit: number): Promise<readonly StreamEntry[]> {
    return await this.#endpoint.run(
      async (client) => entriesRanged(await client.callBuffer("XRANGE", [stream, from, to, "COUNT", limit])),
      { key: stream, repeatable: true },
    );
  }
}
