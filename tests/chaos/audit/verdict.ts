/**
 * The auditor's judgement: what was committed, what it did, and what was delivered on the way (spec:
 * guarantees G1 to G3).
 *
 * @module
 */

/** One row of `effects`, written in the handler's own transaction. */
export interface Effect {
  readonly handler: string;
  readonly key: string;
  readonly n: number;
}

/** One line of a process's log of deliveries, written outside of any transaction before the effect. */
export interface Delivery extends Effect {
  readonly process: number;
}

export interface Evidence {
  /** By key, how many events were committed; they are numbered from 1. */
  readonly committed: ReadonlyMap<string, number>;
  /** In the order of their commits, as far as one key goes. */
  readonly effects: readonly Effect[];
  readonly deliveries: readonly Delivery[];
}

export interface Verdict {
  /** Committed, and without effect. */
  readonly lost: readonly string[];
  /** Effects that are there a second time. */
  readonly doubled: readonly string[];
  /** Effects that follow a later one of their key. */
  readonly disordered: readonly string[];
  /** Effects of what was never committed, or never delivered: the evidence itself is broken. */
  readonly invented: readonly string[];
}

/** Judges one handler. Each finding reads `key/n`. */
export function judge(handler: string, { committed, effects, deliveries }: Evidence): Verdict {
  const delivered = new Set(
    deliveries.filter((delivery) => delivery.handler === handler).map(({ key, n }) => `${key}/${n}`),
  );
  const seen = new Set<string>();
  const latest = new Map<string, number>();
  const doubled: string[] = [];
  const disordered: string[] = [];
  const invented: string[] = [];
  for (const effect of effects) {
    if (effect.handler !== handler) continue;
    const { key, n } = effect;
    const name = `${key}/${n}`;
    if (n < 1 || n > (committed.get(key) ?? 0) || !delivered.has(name)) invented.push(name);
    if (seen.has(name)) {
      doubled.push(name);
      continue;
    }
    seen.add(name);
    const before = latest.get(key) ?? 0;
    if (n < before) disordered.push(name);
    latest.set(key, Math.max(before, n));
  }
  const lost: string[] = [];
  for (const [key, count] of committed) {
    for (let n = 1; n <= count; n++) if (!seen.has(`${key}/${n}`)) lost.push(`${key}/${n}`);
  }
  return { lost, doubled, disordered, invented };
}

/** What a failed audit says; empty when nothing was found. `ordered`: the order of each key was promised. */
export function complaint(verdict: Verdict, ordered: boolean): string {
  const findings = Object.entries(ordered ? verdict : { ...verdict, disordered: [] })
    .filter(([, names]) => names.length > 0)
    .map(([kind, names]) =>
      `${names.length} ${kind} (${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""})`
    );
  return findings.join("; ");
}
