import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import postgres from "postgres";
import {
  connectError,
  endsConnection,
  isServerError,
  ownStatementError,
  userStatementError,
} from "../../../../../lib/adapters/postgres/connection/errors.ts";
import {
  ExpectedVersionError,
  ProteanError,
  ProviderUnavailableError,
  RefusedError,
  ValidationError,
} from "../../../../../lib/errors.ts";

const where = { name: "default", label: "ann@db:5432/shop" };
type Thrown = new (...args: never[]) => Error;

function serverError(code: string, severity = "ERROR"): Error {
  const PostgresError = postgres.PostgresError as unknown as new (fields: Record<string, string>) => Error;
  return new PostgresError({ message: `server said ${code}`, code, severity });
}

const opening: readonly (readonly [code: string, expected: Thrown])[] = [
  ["28P01", RefusedError],
  ["28000", RefusedError],
  ["3D000", RefusedError],
  ["42501", RefusedError],
  ["22023", RefusedError],
  ["53300", ProviderUnavailableError],
  ["57P01", ProviderUnavailableError],
  ["57P03", ProviderUnavailableError],
  ["08006", ProviderUnavailableError],
  ["08P01", ProviderUnavailableError],
];
for (const [code, expected] of opening) {
  Deno.test(`a connection refused with ${code} is a ${expected.name}`, () => {
    const error = connectError(where, serverError(code, "FATAL"));
    assertEquals(error.constructor, expected);
    for (const part of ["'default'", where.label, `server said ${code}`]) {
      assertStringIncludes(error.message, part);
    }
    assertInstanceOf(error.cause, postgres.PostgresError);
  });
}

Deno.test("a connection that nobody answers is a ProviderUnavailableError", () => {
  const error = connectError(where, new Error("connect ECONNREFUSED 127.0.0.1:5432"));
  assertInstanceOf(error, ProviderUnavailableError);
  assertStringIncludes(error.message, "ECONNREFUSED");
});

const ownStatements: readonly (readonly [code: string, expected: Thrown])[] = [
  ["42P01", RefusedError],
  ["42703", RefusedError],
  ["42501", RefusedError],
  ["3F000", RefusedError],
  ["40001", ExpectedVersionError],
  ["40P01", ExpectedVersionError],
  ["22P05", ValidationError],
  ["22P02", ValidationError],
  ["54000", ValidationError],
  ["25006", ProviderUnavailableError],
  ["53100", ProviderUnavailableError],
  ["57014", ProviderUnavailableError],
  ["57P01", ProviderUnavailableError],
  ["23505", ProteanError],
  ["XX000", ProteanError],
];
for (const [code, expected] of ownStatements) {
  Deno.test(`a statement of ours that fails with ${code} is a ${expected.name}`, () => {
    const error = ownStatementError(where, "writing 'o1'", serverError(code));
    assertEquals(error.constructor, expected);
    assertStringIncludes(error.message, "'default'");
    assertInstanceOf(error.cause, postgres.PostgresError);
  });
}

const userStatements: readonly (readonly [code: string, expected: Thrown])[] = [
  ["42P01", RefusedError],
  ["42601", ProteanError],
  ["23505", ProteanError],
  ["22012", ProteanError],
  ["42501", RefusedError],
  ["40001", ExpectedVersionError],
  ["57P01", ProviderUnavailableError],
];
for (const [code, expected] of userStatements) {
  Deno.test(`a statement of the user's that fails with ${code} is a ${expected.name}`, () => {
    const error = userStatementError(where, serverError(code));
    assertEquals(error.constructor, expected);
    assertInstanceOf(error.cause, postgres.PostgresError);
  });
}

Deno.test("an error of ours stays what it is", () => {
  const error = new ProviderUnavailableError("lost");
  for (const map of [connectError, userStatementError]) assertEquals(map(where, error), error);
  assertEquals(ownStatementError(where, "reading", error), error);
});

Deno.test("only an ordinary error of the server's leaves the connection in use", () => {
  assertEquals(endsConnection(serverError("23505")), false);
  assertEquals(endsConnection(serverError("57P01", "FATAL")), true);
  assertEquals(endsConnection(serverError("XX000", "PANIC")), true);
  assertEquals(
    endsConnection(Object.assign(new Error("write CONNECTION_CLOSED"), { code: "CONNECTION_CLOSED" })),
    true,
  );
  assertEquals(endsConnection(new TypeError("in the driver")), true);
  assertEquals(isServerError(serverError("CONNECTION_CLOSED")), false);
});
