/**
 * A Redis server as all connections of one adapter see it.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { Outage } from "./outage.ts";
import type { RedisSettings } from "./settings.ts";

export interface RedisServer {
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly outage: Outage;
}
