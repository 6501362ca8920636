/**
 * "Did you mean": the candidates nearest to a word that is not known (CFG-1).
 *
 * @module
 */

/**
 * Up to `count` candidates that a typist may have meant, best first; empty when none is near. Letter case and
 * the difference between `-`, `_` and camelCase cost nothing.
 */
export function nearest(word: string, candidates: Iterable<string>, count = 1): string[] {
  const wanted = folded(word);
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, cost: cost(wanted, folded(candidate), limit) }))
    .filter(({ cost }) => cost <= limit)
    .sort((a, b) => a.cost - b.cost || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** A sentence of its own, ` Did you mean 'a' or 'b'?` with a leading space, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>, count = 1): string {
  const found = quoted(word, candidates, count);
  return found === "" ? "" : ` Did you mean ${found}?`;
}

/** The end of a sentence: `; did you mean 'a' or 'b'?`, or a full stop when nothing is near. */
export function endingWithHint(word: string, candidates: Iterable<string>, count = 1): string {
  const found = quoted(word, candidates, count);
  return found === "" ? "." : `; did you mean ${found}?`;
}

function quoted(word: string, candidates: Iterable<string>, count: number): string {
  return nearest(word, candidates, count).map((name) => `'${name}'`).join(" or ");
}

function folded(word: string): string {
  return word.slice(0, 100).toLowerCase().replaceAll(/[-_\s]/g, "");
}

/** Edits between two words; one that only adds to the other's beginning or end counts as a single edit. */
function cost(a: string, b: string, limit: number): number {
  if (a.length >= 3 && b.length >= 3 && (b.startsWith(a) || b.endsWith(a) || a.startsWith(b))) {
    return a === b ? 0 : 1;
  }
  return Math.abs(a.length - b.length) > limit ? Infinity : distance(a, b);
}

/** Optimal string alignment: insertions, deletions, replacements, and swaps of neighbours. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, (before[column - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    [before, last] = [last, current];
  }
  return last[b.length] ?? Infinity;
}
