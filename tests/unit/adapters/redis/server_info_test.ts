import { assertThrows } from "@std/assert";
import { checkServerInfo } from "../../../../lib/adapters/redis/connection.ts";
import { BrokerUnavailableError, ConfigurationError } from "../../../../lib/errors.ts";
import { settingsOf } from "./settings.ts";

const info = (version: string, loading = 0) =>
  `# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n\r\n# Persistence\r\nloading:${loading}\r\n`;

Deno.test("checkServerInfo lets Redis 7 and later pass, and a server that does not tell", () => {
  for (const text of [info("7.0.0"), info("7.0.15"), info("8.2.1"), info("10.0.0"), ""]) {
    checkServerInfo(text, settingsOf());
  }
});

Deno.test("checkServerInfo refuses a Redis older than 7.0 with its version and what to do", () => {
  for (const version of ["6.2.14", "6.0.16", "5.0.3", "2.8"]) {
    assertThrows(
      () => checkServerInfo(info(version), settingsOf()),
      ConfigurationError,
      `Redis at redis://:***@h:7/3 (brokers.default) is version ${version}, but 7.0 or later is needed: upgrade it.`,
    );
  }
});

Deno.test("checkServerInfo waits for a server that loads its data", () => {
  assertThrows(
    () => checkServerInfo(info("7.0.15", 1), settingsOf()),
    BrokerUnavailableError,
    "loading its data",
  );
});
