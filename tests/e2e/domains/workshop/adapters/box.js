/** A cache of this domain's own: all in memory, written down in `box.jsonl` of the current folder. */
import { BaseCache } from "@protean/server/adapters";

export class Box extends BaseCache {
  #kept = new Map();

  ping() {
    return Promise.resolve();
  }

  get(key) {
    return Promise.resolve(this.#kept.get(key));
  }

  set(key, value) {
    this.#kept.set(key, value);
    Deno.writeTextFileSync(
      "box.jsonl",
      `${JSON.stringify({ key, value, lid: this.options.settings.lid })}\n`,
      {
        append: true,
      },
    );
    return Promise.resolve();
  }

  delete(key) {
    return Promise.resolve(this.#kept.delete(key));
  }

  ttl(key) {
    return Promise.resolve(this.#kept.has(key) ? Infinity : undefined);
  }

  keys(prefix, { after = "", limit }) {
    const keys = [...this.#kept.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    return Promise.resolve(keys.slice(0, limit));
  }
}
