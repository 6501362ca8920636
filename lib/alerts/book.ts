/**
 * The alerts and mutes of one domain, as the broker keeps them. What somebody else has changed meanwhile is not
 * written over: two may think for a moment that they hold the lock.
 *
 * @module
 */
import { AlertShelf } from "../adapters/alert_shelf.ts";
import type { AlertRecords, BaseBroker } from "../adapters/ports.ts";
import {
  type AlertFacts,
  type KeptAlert,
  keptId,
  LONGEST_SUBJECT,
  type Mute,
  readAlert,
  readId,
  readMute,
  renderAlert,
  renderMute,
} from "./kept.ts";

/** Alerts of one domain that are kept. */
export const MOST_KEPT = 2_000;

/** Everything of one domain. */
export interface Page {
  readonly alerts: readonly KeptAlert[];
  /** Those too whose time is over. */
  readonly mutes: readonly KeptMute[];
}

/** A mute as it is kept now. */
export interface KeptMute extends Mute {
  readonly id: string;
  readonly raw: string;
}

/** `before`: as it was loaded or put; undefined: there was none. `after`: undefined: there is to be none. */
export interface Entry {
  readonly before: KeptAlert | undefined;
  readonly after: AlertFacts | undefined;
}

const ownShelves = new WeakMap<object, AlertRecords>();

/** What the broker keeps, or this process in its place. */
function recordsOf(broker: BaseBroker): AlertRecords {
  const kept = broker.alerts;
  if (kept) return kept;
  const own = ownShelves.get(broker) ?? new AlertShelf();
  ownShelves.set(broker, own);
  return own;
}

export class AlertBook {
  readonly #broker: BaseBroker;
  readonly #domain: string;
  /** What another release has written and this one cannot read, by id: it stays until there is something to say. */
  #unread: ReadonlyMap<string, string> = new Map();

  constructor(broker: BaseBroker, domain: string) {
    this.#broker = broker;
    this.#domain = domain;
  }

  /** Rejects as the broker does. */
  async load(): Promise<Page> {
    const alerts: KeptAlert[] = [];
    const mutes: KeptMute[] = [];
    const unread = new Map<string, string>();
    for (const [id, raw] of await recordsOf(this.#broker).all()) {
      const named = readId(this.#domain, id);
      if (!named) continue;
      const { kind, rule, subject } = named;
      const alert = kind === "alert" ? readAlert(id, rule, subject, raw) : undefined;
      const mute = kind === "mute" ? readMute(rule, subject, raw) : undefined;
      if (alert) alerts.push(alert);
      else if (mute) mutes.push({ ...mute, id, raw });
      else unread.set(id, raw);
    }
    this.#unread = unread;
    return { alerts, mutes };
  }

  /**
   * Writes entries. Returns for each in turn what is kept now, undefined where nothing is, or `changed` where
   * somebody else has written meanwhile: nothing of it was made. Rejects as the broker does.
   */
  async put(entries: readonly Entry[]): Promise<readonly (KeptAlert | "changed" | undefined)[]> {
    if (entries.length === 0) return [];
    const wanted = entries.map(({ before, after }) => {
      const { rule, subject } = (after ?? before) as AlertFacts;
      const id = keptId(this.#domain, "alert", rule, subject);
      return { id, was: before?.raw ?? this.#unread.get(id), data: after && renderAlert(after) };
    });
    const made = await recordsOf(this.#broker).change(wanted);
    return entries.map(({ after }, at): KeptAlert | "changed" | undefined => {
      const { id, data } = wanted[at] ?? {};
      if (!made[at]) return "changed";
      if (!after || id === undefined || data === undefined) return undefined;
      return { ...after, subject: after.subject.slice(0, LONGEST_SUBJECT), id, raw: data };
    });
  }

  /** Mutes a rule, or one of its subjects, until then; with a time that is over it is muted no more. */
  async mute({ rule, subject, until, by }: Mute): Promise<void> {
    const id = keptId(this.#domain, "mute", rule, subject);
    const records = recordsOf(this.#broker);
    const over = until <= await this.#broker.time();
    for (let made = false; !made;) {
      const was = (await records.all()).get(id);
      if (was === undefined && over) return;
      [made = true] = await records.change([{ id, was, data: over ? undefined : renderMute({ until, by }) }]);
    }
  }

  /** Removes mutes whose time is over at `now`. */
  async forgetMutes(mutes: readonly KeptMute[], now: number): Promise<void> {
    const over = mutes.filter(({ until }) => until <= now);
    if (over.length === 0) return;
    await recordsOf(this.#broker).change(over.map(({ id, raw }) => ({ id, was: raw, data: undefined })));
  }
}
