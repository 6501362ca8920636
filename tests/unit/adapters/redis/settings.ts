/**
 * Settings for the unit tests of the Redis adapter.
 *
 * @module
 */
import { readSettings, type RedisSettings } from "../../../../lib/adapters/redis/settings.ts";
import { FakeClock } from "../../../../lib/testing/fake_clock.ts";
import { BrokerUnavailableError } from "../../../../lib/errors.ts";

/** What `[brokers.default]` with these keys gives. */
export function settingsOf(table: Record<string, unknown> = {}): RedisSettings {
  const settings = { URI: "redis://:secret@h:7/3", ...table };
  return readSettings(
    { name: "default", domain: "my_domain", settings, folder: "/", clock: new FakeClock() },
    "brokers",
    BrokerUnavailableError,
  );
}
