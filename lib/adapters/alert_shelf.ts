/**
 * What is kept of alerts in this process's memory: of the memory broker, and of one that keeps none itself.
 *
 * @module
 */
import type { AlertChange, AlertRecords } from "./ports.ts";

export class AlertShelf implements AlertRecords {
  readonly #kept = new Map<string, string>();

  all(): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map(this.#kept));
  }

  change(changes: readonly AlertChange[]): Promise<readonly boolean[]> {
    return Promise.resolve(changes.map(({ id, was, data }) => {
      if (this.#kept.get(id) !== was) return false;
      if (data === undefined) this.#kept.delete(id);
      else this.#kept.set(id, data);
      return true;
    }));
  }
}
