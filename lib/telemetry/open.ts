/**
 * Opens telemetry for a domain, where it is on. Loads nothing else where it is off.
 *
 * @module
 */
import { processName } from "../adapters/client_name.ts";
import { systemClock } from "../async/clock.ts";
import { registerTelemetry } from "../domain/telemetry.ts";
import { telemetrySettings } from "./settings.ts";

registerTelemetry(
  async ({ normalizedName, config, clock = systemClock, env = Deno.env.get.bind(Deno.env) }) => {
    const settings = telemetrySettings({ normalizedName, config }, env);
    if (!settings) return undefined;
    const { LiveTelemetry } = await import("./live.ts");
    const { brokers, outbox } = config.config;
    return new LiveTelemetry({
      settings,
      clock,
      instance: processName(),
      systemOf: (broker) => String(brokers[broker]?.provider ?? "unknown"),
      isExternal: (broker) => outbox.external_brokers.includes(broker),
    });
  },
);
