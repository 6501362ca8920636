/**
 * The part of one message in the unit of work of its batch: its calls in their turn, what it sends with what it
 * inherits from it alone.
 *
 * @module
 */
import { sessionEnded } from "../../adapters/ports.ts";
import { nextInOrder } from "../elements/instance.ts";
import type { ProjectionDefinition } from "../elements/projection.ts";
import type { BatchOrder } from "./batch_order.ts";
import type { Work } from "./work.ts";
import type { Origin, Outgoing } from "./outgoing.ts";
import type { RowLoader } from "./row_loader.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

export interface MemberPlace {
  readonly order: BatchOrder;
  readonly loader: RowLoader;
  readonly place: number;
}

export class MemberWork implements Work {
  readonly origin: Origin;
  readonly #unit: UnitOfWork;
  readonly #at: MemberPlace | undefined;
  readonly #calls = new Set<Promise<unknown>>();
  #over = false;

  /** `at`: its place among others at work at the same time; undefined: it works alone. */
  constructor(unit: UnitOfWork, origin: Origin, at: MemberPlace | undefined) {
    this.#unit = unit;
    this.origin = origin;
    this.#at = at;
  }

  /** Waits for every call that was begun, awaited by its caller or not; further ones are refused. */
  async end(): Promise<void> {
    while (this.#calls.size > 0) await Promise.allSettled(this.#calls);
    this.#over = true;
  }

  get runtime(): Work["runtime"] {
    return this.#unit.runtime;
  }

  get statements(): Work["statements"] {
    return this.#unit.statements;
  }

  readonly find: Work["find"] = (...asked) => this.#whole(() => this.#unit.find(...asked));
  readonly findMany: Work["findMany"] = (...asked) => this.#whole(() => this.#unit.findMany(...asked));
  readonly save: Work["save"] = (...asked) => this.#whole(() => this.#unit.save(...asked));
  readonly remove: Work["remove"] = (...asked) => this.#whole(() => this.#unit.remove(...asked));
  readonly listRows: Work["listRows"] = (...asked) => this.#whole(() => this.#unit.listRows(...asked));
  readonly query: Work["query"] = (statement) => this.#whole(() => this.#unit.query(statement));

  cache<T>(...asked: Parameters<typeof UnitOfWork.prototype.cache<T>>): Promise<T> {
    return this.#whole(() => this.#unit.cache(...asked));
  }

  readRow(projection: ProjectionDefinition, id: string): Promise<string | undefined> {
    return this.#rows(projection, [id], () => {
      return this.#at ? this.#at.loader.read(projection, id) : this.#unit.readRow(projection, id);
    });
  }

  readRows(projection: ProjectionDefinition, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#rows(projection, ids, () => this.#unit.readRows(projection, ids));
  }

  writeRow(projection: ProjectionDefinition, id: string, text: string | undefined): Promise<void> {
    return this.#rows(projection, [id], () => this.#unit.writeRow(projection, id, text));
  }

  send(message: Outgoing): Promise<void> {
    return this.#call(async () => {
      const turn = this.#at?.order.turn(this.#at.place);
      if (!turn) return await this.#unit.send(message);
      await turn;
      await this.#unit.send({ ...message, order: nextInOrder() });
    });
  }

  #whole<T>(work: () => Promise<T>): Promise<T> {
    return this.#call(async () => {
      await this.#at?.order.everything(this.#at.place);
      return await work();
    });
  }

  #rows<T>({ table }: ProjectionDefinition, ids: readonly string[], work: () => Promise<T>): Promise<T> {
    return this.#call(async () => {
      if (this.#at) {
        const { order, place } = this.#at;
        // In one order for all, though nobody waits for who comes later.
        for (const id of [...new Set(ids)].sort()) await order.row(place, `${table} ${id}`);
      }
      return await work();
    });
  }

  #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#over) return Promise.reject(sessionEnded());
    const call = work();
    this.#calls.add(call);
    const over = () => void this.#calls.delete(call);
    call.then(over, over);
    return call;
  }
}
