/**
 * Projection rows that several messages ask for in one turn of the event loop, read by one statement.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { ProjectionDefinition } from "../elements/projection.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

type Asked = Map<string, PromiseWithResolvers<string | undefined>>;

export class RowLoader {
  readonly #unit: Pick<UnitOfWork, "readRows">;
  #asked = new Map<ProjectionDefinition, Asked>();

  constructor(unit: Pick<UnitOfWork, "readRows">) {
    this.#unit = unit;
  }

  /** The text of a row, with all others that are asked for in this turn. Rejects as `readRows` does. */
  read(projection: ProjectionDefinition, id: string): Promise<string | undefined> {
    if (this.#asked.size === 0) setImmediate(() => void this.#load());
    let asked = this.#asked.get(projection);
    if (!asked) this.#asked.set(projection, asked = new Map());
    let answer = asked.get(id);
    if (!answer) asked.set(id, answer = Promise.withResolvers());
    return answer.promise;
  }

  /** Never rejects: who has asked is told. */
  async #load(): Promise<void> {
    const asked = this.#asked;
    this.#asked = new Map();
    await Promise.all([...asked].map(async ([projection, answers]) => {
      try {
        const texts = await this.#unit.readRows(projection, [...answers.keys()]);
        for (const [id, answer] of answers) answer.resolve(texts.get(id));
      } catch (error) {
        for (const answer of answers.values()) answer.reject(error);
      }
    }));
  }
}
