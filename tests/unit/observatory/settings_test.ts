/** Where the observatory listens and whom it answers: `[observatory]`, flags, and what cannot be. */
import { assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../../lib/errors.ts";
import { isLoopbackHost, observatorySettings } from "../../../lib/observatory/settings.ts";

const toml = (over: Record<string, unknown> = {}) => ({
  observatory: { host: "127.0.0.1", port: 9000, ...over },
});

Deno.test("the command line goes before [observatory]; on loopback no token is needed", () => {
  assertEquals(observatorySettings(toml()), { host: "127.0.0.1", port: 9000, token: undefined });
  assertEquals(observatorySettings(toml({ token: "a" }), { host: "0.0.0.0", port: 0 }), {
    ...{ host: "0.0.0.0", port: 0, token: "a" },
  });
  assertEquals(observatorySettings(toml({ token: "a" }), { token: "b" }).token, "b");
});

for (
  const host of ["0.0.0.0", "::", "[::]", "10.0.0.1", "observatory.example", "128.0.0.1", "127.0.0.1.example"]
) {
  Deno.test(`${host} without a token is refused, before anything listens`, () => {
    const { code } = assertThrows(() => observatorySettings(toml({ host })), ConfigurationError);
    assertEquals(code, "OBSERVATORY_TOKEN_MISSING");
    assertEquals(observatorySettings(toml({ host, token: "x" })).host, host);
  });
}

Deno.test("what is this machine's alone", () => {
  for (
    const host of ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"]
  ) {
    assertEquals(isLoopbackHost(host), true, host);
  }
});

for (const host of ["http://127.0.0.1", "127.0.0.1:9000", "[::1]:9000", "a b", "user@127.0.0.1"]) {
  Deno.test(`'${host}' is no host`, () => {
    const { code } = assertThrows(() => observatorySettings(toml({ host, token: "x" })), ConfigurationError);
    assertEquals(code, "OBSERVATORY_BAD_HOST");
  });
}

for (const token of ["with blank", "tab\t", "line\n", "schlüssel", "", "x".repeat(4097)]) {
  Deno.test(`a token of ${token.length} characters that no header carries is refused, and not shown`, () => {
    const { code, message } = assertThrows(() => observatorySettings(toml({ token })), ConfigurationError);
    assertEquals([code, token !== "" && message.includes(token)], ["OBSERVATORY_BAD_TOKEN", false]);
  });
}
