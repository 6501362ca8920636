/** A broker of this domain's own that only takes: it notes in `chute.jsonl` of the current folder that it was opened. */
import { BaseBroker } from "@protean/server";

export default class Chute extends BaseBroker {
  capabilities = { embedded: true };

  open() {
    return Deno.writeTextFile(
      "chute.jsonl",
      `${JSON.stringify({ name: this.name, isBroker: this instanceof BaseBroker })}\n`,
    );
  }

  ping() {
    return Promise.resolve();
  }

  publish(entries) {
    return Promise.resolve(entries.map((_, index) => ({ id: `1-${index}` })));
  }

  length() {
    return Promise.resolve(0);
  }
}
