/**
 * Operations in this process's memory: of the memory broker, and of one that keeps none itself.
 *
 * @module
 */
import {
  type NewOperation,
  OPERATION_KEPT_MS,
  type OperationRecords,
  type OperationRow,
  type OperationState,
  UNFINISHED,
} from "./ports.ts";

type Kept = { -readonly [K in keyof OperationRow]: OperationRow[K] } & { readonly alike: string };

export class OperationBook implements OperationRecords {
  /** In the order in which they were made. */
  readonly #all = new Map<string, Kept>();

  create({ id, created, state, alike, data }: NewOperation): Promise<string | undefined> {
    for (const { id, created: then } of this.#all.values()) {
      if (then < created - OPERATION_KEPT_MS) this.#all.delete(id);
    }
    const other = [...this.#all.values()].find((kept) =>
      kept.alike === alike && UNFINISHED.includes(kept.state)
    );
    if (!other) this.#all.set(id, { id, created, state, alike, data, run: "", beats: 0 });
    return Promise.resolve(other?.id);
  }

  get(id: string): Promise<OperationRow | undefined> {
    return Promise.resolve(rowOf(this.#all.get(id)));
  }

  list(limit: number): Promise<readonly OperationRow[]> {
    const newest = [...this.#all.values()].reverse().sort((a, b) => b.created - a.created);
    return Promise.resolve(newest.slice(0, limit).flatMap((kept) => rowOf(kept) ?? []));
  }

  waiting(limit: number): Promise<readonly OperationRow[]> {
    const waiting = [...this.#all.values()].filter(({ state }) => state === "planned" || state === "running");
    return Promise.resolve(waiting.slice(0, limit).flatMap((kept) => rowOf(kept) ?? []));
  }

  turn(id: string, from: readonly OperationState[], to: OperationState): Promise<OperationState | undefined> {
    const kept = this.#all.get(id);
    const was = kept?.state;
    if (kept && from.includes(kept.state)) kept.state = to;
    return Promise.resolve(was);
  }

  async begin(id: string, from: readonly OperationState[], run: string): Promise<OperationState | undefined> {
    const was = await this.turn(id, from, "running");
    const kept = this.#all.get(id);
    if (kept && was && from.includes(was)) kept.run = run;
    return was;
  }

  save(id: string, run: string, data?: string): Promise<OperationState | undefined> {
    const kept = this.#ours(id, run);
    if (kept) kept.beats++;
    if (kept && data !== undefined) kept.data = data;
    return Promise.resolve(kept?.state);
  }

  end(id: string, run: string, to: OperationState, data: string): Promise<OperationState | undefined> {
    const kept = this.#ours(id, run);
    if (!kept) return Promise.resolve(undefined);
    if (kept.state === "running") kept.state = to;
    kept.data = data;
    kept.run = "";
    return Promise.resolve(kept.state);
  }

  #ours(id: string, run: string): Kept | undefined {
    const kept = this.#all.get(id);
    return kept?.run === run && run !== "" ? kept : undefined;
  }
}

function rowOf(kept: Kept | undefined): OperationRow | undefined {
  if (!kept) return undefined;
  const { id, created, state, run, beats, data } = kept;
  return { id, created, state, run, beats, data };
}
