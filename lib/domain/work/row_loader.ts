/**
 * Projection rows that several messages ask for in one turn of the event loop, read by one statement.
 *
 * @module
 */
import type { ProjectionDefinition } from "../elements/projection.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

/**
 * So many steps of a turn nobody else asks, and all have who work at once: each is resumed behind the one before,
 * and takes some steps to its next question. A turn of its own would cost more than the statement.
 */
const QUIET_STEPS = 16;

type Asked = Map<string, PromiseWithResolvers<string | undefined>>;

export class RowLoader {
  readonly #unit: Pick<UnitOfWork, "readRows">;
  #count = 0;
  #asked = new Map<ProjectionDefinition, Asked>();

  constructor(unit: Pick<UnitOfWork, "readRows">) {
    this.#unit = unit;
  }

  /** The text of a row, with all others that are asked for in this turn. Rejects as `readRows` does. */
  read(projection: ProjectionDefinition, id: string): Promise<string | undefined> {
    if (this.#asked.size === 0) void this.#load();
    this.#count++;
    let asked = this.#asked.get(projection);
    if (!asked) this.#asked.set(projection, asked = new Map());
    let answer = asked.get(id);
    if (!answer) asked.set(id, answer = Promise.withResolvers());
    return answer.promise;
  }

  /** Never rejects: who has asked is told. */
  async #load(): Promise<void> {
    for (let quiet = 0, count = this.#count; quiet < QUIET_STEPS; quiet++) {
      await undefined;
      if (count !== this.#count) quiet = 0;
      count = this.#count;
    }
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
