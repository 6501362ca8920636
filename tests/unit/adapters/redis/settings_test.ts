import { assertEquals, assertThrows } from "@std/assert";
import { processName } from "../../../../lib/adapters/client_name.ts";
import { ConfigurationError } from "../../../../lib/errors.ts";
import { settingsOf } from "./settings.ts";

Deno.test("readSettings fills the defaults of the connection pool", () => {
  const { section, clientName, maxConnections, answerMs, connectMs, retryOnTimeout } = settingsOf();
  assertEquals(
    { section, clientName, maxConnections, answerMs, connectMs, retryOnTimeout },
    {
      section: "brokers.default",
      clientName: `protean:my_domain:default:${processName()}`,
      maxConnections: 50,
      answerMs: 5000,
      connectMs: 5000,
      retryOnTimeout: false,
    },
  );
});

Deno.test("readSettings takes seconds, numbers that came as text, and flags", () => {
  const settings = settingsOf({
    max_connections: "3",
    socket_timeout: 0.25,
    socket_connect_timeout: "1.5",
    retry_on_timeout: true,
  });
  assertEquals(
    [settings.maxConnections, settings.answerMs, settings.connectMs, settings.retryOnTimeout],
    [3, 250, 1500, true],
  );
});

Deno.test("readSettings refuses numbers that are none, and names their key", () => {
  for (const value of [0, -1, NaN, Infinity, "many", {}]) {
    for (const key of ["max_connections", "socket_timeout", "socket_connect_timeout"]) {
      assertThrows(
        () => settingsOf({ [key]: value }),
        ConfigurationError,
        `'brokers.default.${key}' must be`,
      );
    }
  }
});
