/**
 * Who answers the probes of an engine. The engine makes the answers' source and is given the listener: one of
 * its own, or that of a supervisor or a thread beside the engine.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import type { Service } from "../async/service.ts";
import type { Page } from "./page.ts";
import { engineRoutes } from "./routes.ts";
import { HealthServer } from "./server.ts";
import type { HealthSnapshot } from "./types.ts";

/** What a probe is answered from. Costs no I/O. */
export interface HealthSource {
  /** Whether this process does its work: only a restart helps where it does not (HLT-1). */
  alive(): boolean;
  snapshot(): HealthSnapshot;
  /** A page beside the probes, where there is one. */
  readonly page?: Page | undefined;
  /** `POST /drainz`: nothing more is read, what runs goes on, and there is no way back. */
  drain(): void;
}

/** The engine starts it before everything else and stops it after. */
export interface HealthListener extends Service {
  /** Resolves once it listens for the first time; absent where it has no address of its own. */
  readonly bound?: Promise<Deno.NetAddr>;
  /** The source says something else now; absent where it is asked at every probe anyway. */
  changed?(): void;
}

/** `[server.health]`. */
export interface HealthSettings {
  readonly enabled: boolean;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Take the next free port when this one is taken. */
  readonly port_auto_increment: boolean;
  readonly blocked_after_seconds: number;
}

export interface HealthListenerOptions {
  readonly source: HealthSource;
  readonly settings: HealthSettings;
  /** `start()` rejects when it cannot listen (`--require-dependencies`). */
  readonly required: boolean;
  readonly clock: Clock;
}

/** Undefined: nobody answers probes. */
export type HealthListenerFactory = (options: HealthListenerOptions) => HealthListener | undefined;

/** A listener on `[server.health]`, in this thread. */
export const ownListener: HealthListenerFactory = ({ source, settings, required, clock }) => {
  if (!settings.enabled) return undefined;
  return new HealthServer({
    host: settings.host,
    port: settings.port,
    portAutoIncrement: settings.port_auto_increment,
    required,
    clock,
    routes: engineRoutes(() => source.alive(), () => source.snapshot(), () => source.drain()),
    page: source.page,
  });
};
