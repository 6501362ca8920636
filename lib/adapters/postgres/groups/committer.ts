/**
 * Commits that travel together (delivery 25). What units of work have ready at the same time goes to the
 * server in one transaction and one packet, and each of them has an outcome of its own: it is tried together
 * first and, where that fails, without those of whom it is known why, then by smaller and smaller groups.
 *
 * Nothing waits for a group to fill. While one is at the server, the next one gathers.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../../../async/clock.ts";
import { onAbort } from "../../../async/abort.ts";
import { asError } from "../../../errors.ts";
import type { Connection } from "../connection/connection.ts";
import type { Where } from "../connection/errors.ts";
import type { Names } from "../connection/names.ts";
import type { Pool } from "../connection/pool.ts";
import { sendGroup, type Verdicts } from "./group.ts";
import { Keys } from "./keys.ts";
import type { Member } from "./member.ts";

/** Groups at the server at the same time. While one is committed, another one is written. */
const COMMITTERS = 2;
/** UTF-16 units of the texts of one group, unless a single member has more. */
const MOST_TEXT = 4 * 1024 * 1024;
/** So often a member that was certainly not committed is sent again, when a new connection is lost under it. */
const LOSSES = 2;

export interface CommitterOptions {
  readonly where: Where;
  readonly names: Names;
  readonly clock: Clock;
  readonly pool: Pool<Connection>;
  /** Most members of one group; at least 2. */
  readonly size: number;
  /** Commits one member in a transaction of its own, which waits for locks as long as it must. */
  readonly alone: (member: Member) => Promise<void>;
  /** Called after a group that has written outbox rows. */
  readonly committed: () => void;
  /** Called with what goes on after a group whose members were all given up. */
  readonly afterwards: (work: Promise<void>) => void;
}

export class Committer {
  readonly #options: CommitterOptions;
  readonly #keys = new Keys();
  #queue = new Set<Member>();
  /** Somebody has joined the queue, or keys are free, since it was looked through last. */
  #news = false;
  /** Committers at work. */
  #active = 0;
  #scheduled = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /**
   * Commits what `member` has. Rejects with `DuplicateMessageError`, `MessageConflictError`,
   * `ExpectedVersionError`, with what its options refuse it with, with the reason of their signal where a
   * connection would have to be waited for, or with what a transaction of its own rejects with.
   */
  async commit(member: Member): Promise<void> {
    member.whenAbandoned = () => void this.#queue.delete(member);
    this.#queue.add(member);
    this.#news = true;
    this.#schedule();
    if (!this.#options.pool.exhausted) return await member.outcome;
    using _ = onAbort(member.options.signal, (reason) => this.#signalled(member, asError(reason)));
    await member.outcome;
  }

  /** Resolves when nothing that touches this key is at the server; undefined: nothing does. */
  settled(key: string): Promise<void> | undefined {
    return this.#keys.settled(key);
  }

  /** Who waits for a connection waits no longer; who has what is sent next is let be. */
  #signalled(member: Member, reason: Error): void {
    const { pool } = this.#options;
    if (member.stage !== "queued" || !pool.exhausted) return;
    this.#queue.delete(member);
    member.failed(reason);
  }

  #schedule(): void {
    if (this.#scheduled || !this.#news || this.#active >= COMMITTERS || this.#queue.size === 0) return;
    this.#scheduled = true;
    // Whoever is ready in the same turn of the event loop comes along.
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#queue.size === 0) return;
      this.#active++;
      void this.#run().finally(() => {
        this.#active--;
        this.#schedule();
      });
    });
  }

  /** One group, from the connection that it gets to its outcome. Never rejects. */
  async #run(): Promise<void> {
    const { pool } = this.#options;
    let seat: Awaited<ReturnType<typeof pool.acquire>>;
    try {
      seat = await pool.acquire();
    } catch (error) {
      const waiting = [...this.#queue];
      this.#queue.clear();
      for (const member of waiting) member.failed(asError(error));
      return;
    }
    const { member: connection, reused, silent } = seat;
    const group = this.#take();
    try {
      if (group.length === 0) return;
      const verdicts = await this.#send(connection, silent, group);
      this.#conclude(verdicts, reused && connection.lost);
    } finally {
      pool.release(connection);
    }
  }

  /** Those that go next, as many as fit. Whoever touches what another one has in hand waits behind it. */
  #take(): Member[] {
    const taken: Member[] = [];
    this.#news = false;
    const round = this.#keys.round();
    let [text, most] = [0, this.#options.size];
    for (const member of this.#queue) {
      const fits = taken.length === 0 || text + member.bytes <= MOST_TEXT;
      if (taken.length >= most || !fits) {
        // More may go with the next group.
        this.#news = true;
        break;
      }
      // One that has to go in a smaller group is the first of it.
      if (member.most >= 1 && member.most <= taken.length) {
        round.pass(member);
        this.#news = true;
        continue;
      }
      const refused = member.options.refused?.();
      if (refused) {
        this.#queue.delete(member);
        member.failed(refused);
        continue;
      }
      if (!round.mayTake(member)) continue;
      this.#queue.delete(member);
      if (member.most < 1) {
        this.#alone(member);
        continue;
      }
      most = Math.min(most, member.most);
      text += member.bytes;
      taken.push(member);
    }
    return taken;
  }

  async #send(connection: Connection, isSilent: boolean, group: readonly Member[]): Promise<Verdicts> {
    const { where, names, clock, committed, afterwards } = this.#options;
    let left = 0;
    for (const member of group) {
      member.stage = "sent";
      member.whenAbandoned = () => {
        // A group runs to its end for the sake of the others.
        if (++left === group.length) afterwards(connection.cancel("all units of work of its group were cut"));
      };
    }
    const verdicts = await sendGroup({
      connection,
      isSilent,
      members: group,
      where,
      names,
      now: clock.now(),
    });
    if (verdicts.committed.some(({ outbox }) => outbox.length > 0)) committed();
    return verdicts;
  }

  /** `isStale`: the connection has died while it was idle, perhaps, which says nothing about the next one. */
  #conclude({ committed, failed, again, lost, alone }: Verdicts, isStale: boolean): void {
    for (const member of committed) {
      this.#release(member);
      member.committed();
    }
    for (const [member, error] of failed) {
      this.#release(member);
      member.failed(error);
    }
    for (const member of alone) this.#alone(member);
    const back: Member[] = [];
    for (const member of again) {
      if (member.stage === "over") this.#release(member);
      else back.push(member);
    }
    for (const [member, error] of lost) {
      if (member.stage === "over") this.#release(member);
      else if (isStale || ++member.losses <= LOSSES) back.push(member);
      else {
        this.#release(member);
        member.failed(error);
      }
    }
    if (back.length > 0) this.#back(back);
    this.#schedule();
  }

  /** Nothing of them is committed: they are first in line again, in their order. */
  #back(members: readonly Member[]): void {
    for (const member of members) {
      this.#release(member);
      member.stage = "queued";
      member.whenAbandoned = () => void this.#queue.delete(member);
    }
    this.#queue = new Set([...members, ...this.#queue]);
    this.#news = true;
  }

  #alone(member: Member): void {
    if (member.stage === "over") return this.#release(member);
    const refused = member.options.refused?.();
    if (refused) {
      this.#release(member);
      return member.failed(refused);
    }
    void this.#options.alone(member).then(
      () => member.committed(),
      (error) => member.failed(asError(error)),
    ).finally(() => this.#release(member));
  }

  /** Others may touch what it has touched. */
  #release(member: Member): void {
    if (!this.#keys.release(member)) return;
    this.#news = true;
    this.#schedule();
  }
}
