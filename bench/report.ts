/**
 * How benchmarks print: ratios within one run, and the figures they come from.
 *
 * @module
 */

export function rate(count: number, ms: number): number {
  return count / (ms / 1000);
}

export function ratio(ours: number, reference: number): number {
  return ours / reference;
}

/** The middle one; NaN of none. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? NaN;
}

const write = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
const whole = (figure: number) => Math.round(figure).toLocaleString("en");

/** One comparison on one line. */
export function print(what: string, ours: number, against: string, reference: number, share: number): void {
  write(`${share.toFixed(2)}  ${what}: ${whole(ours)} against ${against}: ${whole(reference)}`);
}

/** Durations in milliseconds. */
export function seconds(what: string, figures: Record<string, number>): void {
  write(
    `      ${what}: ${Object.entries(figures).map(([name, ms]) => `${name} ${ms.toFixed(2)} ms`).join(", ")}`,
  );
}
