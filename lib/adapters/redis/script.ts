/**
 * A Lua script: several commands that Redis runs as one.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";

export class Script {
  readonly #lua: string;
  readonly #sha: string;

  constructor(lua: string) {
    this.#lua = lua;
    this.#sha = createHash("sha1").update(lua).digest("hex");
  }

  /** Runs it by its hash; a server that does not know it (yet, or after SCRIPT FLUSH) gets the text. Answers as Redis does. */
  async run(client: Redis, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await client.call("EVALSHA", [this.#sha, ...rest]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return await client.call("EVAL", [this.#lua, ...rest]);
    }
  }
}
