/**
 * For how long things have been so, in this process: whoever does not hold the lock watches too, so that it
 * knows when it takes over.
 *
 * @module
 */
import type { Finding } from "./findings.ts";

/** What is not known for longer than this has not been so meanwhile. */
const GAP_MS = 60_000;

interface Watched {
  readonly mark: string | undefined;
  counts: Finding["counts"];
  since: number;
  seen: number;
}

export class Watch {
  readonly #watched = new Map<string, Watched>();

  /** Takes what was found at `now`, monotonic ms. Forgets what is not among it any more. */
  look(findings: readonly Finding[], now: number): void {
    const keys = new Set<string>();
    for (const finding of findings) {
      const key = keyOf(finding);
      keys.add(key);
      if (finding.holds === undefined) continue;
      const before = this.#watched.get(key);
      if (!finding.holds) this.#watched.delete(key);
      else if (before && isSame(before, finding) && now - before.seen <= GAP_MS) {
        before.seen = now;
        before.counts = finding.counts;
      } else {
        const { mark, counts } = finding;
        this.#watched.set(key, { mark, counts, since: now, seen: now });
      }
    }
    for (const [key, { seen }] of this.#watched) {
      if (!keys.has(key) && now - seen > GAP_MS) this.#watched.delete(key);
    }
  }

  /** Milliseconds for which it has been so; undefined: it is not, or nobody knows. */
  heldMs(finding: Finding, now: number): number | undefined {
    const watched = finding.holds ? this.#watched.get(keyOf(finding)) : undefined;
    return watched && now - watched.since;
  }

  /** It has been so for `ms` at least, as somebody else has kept. */
  adopt(finding: Finding, ms: number, now: number): void {
    const watched = this.#watched.get(keyOf(finding));
    if (watched) watched.since = Math.min(watched.since, now - ms);
  }
}

/** Nothing has moved. */
function isSame(before: Pick<Watched, "mark" | "counts">, { mark, counts = new Map() }: Finding): boolean {
  if (before.mark !== mark) return false;
  for (const [worker, count] of counts) if (count > (before.counts?.get(worker) ?? 0)) return false;
  return true;
}

export function keyOf({ rule, subject }: { readonly rule: string; readonly subject: string }): string {
  return JSON.stringify([rule, subject]);
}
