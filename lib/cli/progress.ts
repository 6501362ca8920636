/**
 * A progress line on stderr, drawn only where somebody watches.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import type { Cli } from "./cli.ts";

const REDRAW_MS = 100;
const BAR_WIDTH = 30;

/** Draws over itself until it is ended. */
export class Progress {
  readonly #cli: Cli;
  readonly #clock: Clock;
  #drawnAt = -Infinity;
  #drawn = false;

  constructor(cli: Cli, clock: Clock) {
    this.#cli = cli;
    this.#clock = clock;
  }

  /**
   * Shows how far the work is; at most ten times a second.
   *
   * @param fraction 0 to 1; undefined where the end is not known.
   */
  update(text: string, fraction: number | undefined): void {
    const { io, errColors } = this.#cli;
    const now = this.#clock.monotonic();
    if (!io.errIsTerminal || now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#drawn = true;
    const bar = fraction === undefined
      ? ""
      : `${barOf(fraction)} ${String(Math.floor(fraction * 100)).padStart(3)} % `;
    // One column is left free: a full line would wrap and could not be drawn over.
    io.err(`\r${errColors.cyan(bar)}${text}`.slice(0, io.columns + 10) + "\x1b[K");
  }

  /** Takes the line away, so that other text may be written. */
  clear(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    this.#drawnAt = -Infinity;
    this.#cli.io.err("\r\x1b[K");
  }
}

function barOf(fraction: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  return `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
}
