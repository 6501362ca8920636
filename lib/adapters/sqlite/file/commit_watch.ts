/**
 * Tells listeners that something was committed: by this process at once, by another one as soon as
 * `PRAGMA data_version` says so (2.6 µs; delivery 14). When to ask it, the system tells of a quiet file: whoever
 * commits writes to its log. Where that tells nothing, and while there is a commit upon another, it is asked
 * in short intervals. Only a hint: the listener looks for itself.
 *
 * @module
 */
import type { StatementSync } from "node:sqlite";
import type { Clock } from "../../../async/clock.ts";
import type { ListenToChanges } from "./file_changes.ts";

/**
 * Milliseconds between two polls, where nothing is heard, while another process commits and after a quiet
 * while: what is committed then is seen within 20 ms. Polls come at whole multiples, so that those of all files
 * of a process are one wake-up.
 */
const ACTIVE_POLL = 5;
const IDLE_POLL = 20;
/** So often a file is polled whose writes are heard: for those that are not heard after all. */
const UNDER_POLL = 250;
const EARLY = 1.5;
/** Polls without news after which the delay begins to double. */
const ACTIVE_POLLS = 20;
/** Polls in a row between which nobody has committed: listening is worth its while. */
const CALM_POLLS = 30;
/** So much later it is tried again where listening was refused. */
const REFUSED_MS = 60_000;
/** Between so many polls in a row something was heard: each write costs more to hear of (14 µs) than polls do. */
const STREAK = 25;

/**
 * A write is heard before its commit can be seen, by as long as the disk takes. So polls follow, at a doubling
 * distance, until nothing more can come of it: of one that this process has made itself, of one whose commit
 * was seen, and of one that was not.
 */
const FIRST_AGAIN = 4;
const OWN_TAIL = 15;
const SEEN_TAIL = 100;
const UNSEEN_TAIL = 1_000;
/** A write that is heard so soon after a commit of this process may be that. */
const OWN_MS = 40;

export interface CommitWatchOptions {
  /** Of the writing connection, whose own commits do not change its answer. */
  readonly dataVersion: StatementSync;
  readonly clock: Clock;
  /** Tells of writes to the log. */
  readonly listen: ListenToChanges;
}

/** The last write that was heard. */
interface Heard {
  readonly at: number;
  /** This process may have made it. */
  readonly own: boolean;
  /** Its commit was seen. */
  readonly seen: boolean;
}

/** Polls, and begins to listen, only while somebody wants to know. */
export class CommitWatch {
  readonly #listeners = new Set<{ readonly call: () => void }>();
  readonly #options: CommitWatchOptions;
  #announced = false;
  #quietPolls = 0;
  #seen: unknown;
  #cancel: (() => void) | undefined;
  /** Ends the listening; undefined while nobody listens. */
  #unlisten: (() => void) | undefined;
  #refusedAt = -Infinity;
  /** Undefined until it is known that anything is heard here. */
  #heard: Heard | undefined;
  /** Something was heard since the last poll. */
  #stirred = false;
  #streak = 0;
  #calmPolls = 0;
  /** When the next poll is due. */
  #nextAt = Infinity;
  /** When this process has committed last, when it was looked last, and when that has shown a commit. */
  #committedAt = -Infinity;
  #lookedAt = -Infinity;
  #changedAt = -Infinity;
  #closed = false;

  constructor(options: CommitWatchOptions) {
    this.#options = options;
  }

  /** Returns the way to stop listening, which may be called any number of times. */
  add(listener: () => void): () => void {
    const entry = { call: listener };
    this.#listeners.add(entry);
    if (this.#listeners.size === 1) {
      // Whoever is new looks for itself.
      this.#look();
      this.#quietPolls = 0;
      this.#schedule();
    }
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size === 0) this.#stop();
    };
  }

  /** This process has committed something, of which nobody need be told. */
  committed(): void {
    this.#committedAt = this.#now();
  }

  /** This process has committed. Any number of commits in one turn are one call. */
  announce(): void {
    if (this.#announced || this.#listeners.size === 0) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener.call();
    });
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#stop();
    this.#deafen();
  }

  #schedule(): void {
    const ms = this.#delay();
    this.#nextAt = this.#now() + ms;
    this.#cancel = this.#options.clock.after(ms, () => {
      const { at, changed } = this.#look();
      // A commit that was not heard of: until something is, nothing may be.
      if (changed && this.#heard && at - this.#heard.at > UNSEEN_TAIL) this.#heard = undefined;
      if (changed) this.announce();
      this.#streak = this.#stirred ? this.#streak + 1 : 0;
      this.#stirred = false;
      if (this.#streak >= STREAK) this.#deafen();
      else if (this.#calmPolls >= CALM_POLLS) this.#listen(at);
      this.#schedule();
    });
  }

  #stop(): void {
    this.#cancel?.();
    this.#nextAt = Infinity;
  }

  /** Looks now, and counts anew to the next poll. */
  #again(): void {
    if (this.#closed || this.#listeners.size === 0) return;
    this.#cancel?.();
    if (this.#look().changed) this.announce();
    this.#schedule();
  }

  #look(): { readonly at: number; readonly changed: boolean } {
    const at = this.#now();
    const version = this.#version();
    const changed = version !== this.#seen;
    this.#seen = version;
    this.#quietPolls = changed ? 0 : this.#quietPolls + 1;
    this.#calmPolls = changed || this.#committedAt >= this.#lookedAt ? 0 : this.#calmPolls + 1;
    this.#lookedAt = at;
    if (changed) {
      this.#changedAt = at;
      if (this.#heard) this.#heard = { ...this.#heard, seen: true };
    }
    return { at, changed };
  }

  /** Until the next poll, ms. */
  #delay(): number {
    const now = this.#now();
    if (this.#heard && this.#mayFollow(this.#heard, now)) {
      return this.#heard.own ? IDLE_POLL : Math.min(IDLE_POLL, Math.max(FIRST_AGAIN, now - this.#heard.at));
    }
    const doublings = Math.max(0, this.#quietPolls - ACTIVE_POLLS);
    const every = this.#heard ? UNDER_POLL : Math.min(IDLE_POLL, ACTIVE_POLL * 2 ** doublings);
    const rest = every - now % every;
    // A timer may be a little early.
    return rest < EARLY ? rest + every : rest;
  }

  /** Whether a commit may still come of it, which is polled for. */
  #mayFollow({ at, own, seen }: Heard, now: number): boolean {
    return now - at < (own ? OWN_TAIL : seen ? SEEN_TAIL : UNSEEN_TAIL);
  }

  #listen(at: number): void {
    if (this.#unlisten || at - this.#refusedAt < REFUSED_MS) return;
    this.#unlisten = this.#options.listen({ heard: () => this.#hear(), lost: () => this.#lost() });
    if (!this.#unlisten) this.#refusedAt = at;
  }

  #hear(): void {
    const at = this.#now();
    const own = at - this.#committedAt < OWN_MS;
    const before = this.#heard;
    this.#stirred = true;
    // Another's is followed already, and sooner than this process's own would be.
    if (own && before && !before.own && this.#mayFollow(before, at)) return;
    // One commit writes more than once.
    this.#heard = { at, own, seen: at - this.#changedAt < FIRST_AGAIN };
    if (this.#nextAt - at > (own ? IDLE_POLL : FIRST_AGAIN)) this.#again();
  }

  /** The system has given it up. */
  #lost(): void {
    this.#refusedAt = this.#now();
    this.#deafen();
    this.#again();
  }

  #deafen(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#heard = undefined;
    this.#stirred = false;
    this.#streak = 0;
    this.#quietPolls = 0;
    this.#calmPolls = 0;
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }

  /** A file that cannot be read just now has not changed as far as anybody can tell. */
  #version(): unknown {
    try {
      return this.#options.dataVersion.get()?.data_version;
    } catch {
      return this.#seen;
    }
  }
}
