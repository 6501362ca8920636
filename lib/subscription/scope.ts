/**
 * What the parts of one subscription share, from its start to its end.
 *
 * @module
 */
import type { Random } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import type { Crowd } from "../async/crowd.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import type { DeliveryEvent, DeliveryObserver } from "../domain/observer.ts";
import type { Figures } from "../status/figures.ts";
import type { Inbox } from "./inbox.ts";
import type { Pause } from "./pause.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";

export interface SubscriptionScope {
  /** As logs name the subscription. */
  readonly name: string;
  readonly runner: HandlerRunner;
  /** `<Handler>-<host>-<pid>-<6 hex>` (wire 2.3). */
  readonly consumer: string;
  readonly settings: SubscriptionSettings;
  readonly inbox: Inbox;
  /** What keeps everything waiting while a backend of the handler is away. */
  readonly pause: Pause;
  /** What the subscription has done, for health, `--once`, the demo and the domain's observer. */
  readonly figures: Figures<DeliveryEvent>;
  /** Told of runs, as far as anybody wants to hear of them. */
  readonly observer: DeliveryObserver | undefined;
  /** Why handlers have thrown `Discard`. */
  readonly reasons: { count(reason: string): void };
  /** `[server] max_received_bytes`. */
  readonly maxReceivedBytes: number;
  /** Of all that wait for a database; while it is full nothing more is begun. */
  readonly crowd: Crowd;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when nothing may be started any more (DRN-2). */
  readonly stopped: AbortSignal;
  /**
   * Resolves when a message that this process is publishing may be handled here; undefined: at once. Never
   * rejects.
   */
  readonly published: (messageId: string) => Promise<void> | undefined;
}
