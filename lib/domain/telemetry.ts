/**
 * Telemetry as a domain has it: somebody who is told, and who keeps what he was told. The room `telemetry`
 * does the work; it stands above this one and registers itself.
 *
 * @module
 */
import type { Meter } from "@opentelemetry/api";
import type { Clock } from "../async/clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Observer } from "./observer.ts";

export interface TelemetryFacts {
  readonly normalizedName: string;
  readonly config: LoadedConfig;
  /** @default the machine's own */
  readonly clock?: Clock;
  /** @default Deno.env.get */
  readonly env?: (name: string) => string | undefined;
}

export interface Telemetry {
  readonly observer: Observer;
  /** For gauges. Undefined where there are no metrics. */
  readonly meter: Meter | undefined;
  /** All metrics as Prometheus text, with `labels` on every sample. Never rejects. */
  scrape(labels?: Readonly<Record<string, string>>): Promise<string>;
  /** Exports what is there, within `[telemetry] flush_timeout_seconds`. Never rejects (TEL-2). */
  flush(): Promise<void>;
  /** Flushes, and ends every timer and connection. Never rejects; a second call does nothing. */
  close(): Promise<void>;
}

/** Undefined: it is off. Throws `ConfigurationError`. */
type Open = (facts: TelemetryFacts) => Promise<Telemetry | undefined>;

let open: Open | undefined;

/** For the room that does the work. */
export function registerTelemetry(how: Open): void {
  open = how;
}

/** Undefined where it is off. Throws `ConfigurationError` for settings that cannot work. */
export async function openTelemetry(facts: TelemetryFacts): Promise<Telemetry | undefined> {
  return await open?.(facts);
}
