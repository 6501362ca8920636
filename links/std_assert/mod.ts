/**
 * Stand-in for `jsr:@std/assert` over `node:assert/strict`, used where JSR cannot be reached. Same names and
 * meanings for what this project uses; delete `links` from `deno.json` to use the real package.
 *
 * @module
 */
import nodeAssert from "node:assert/strict";

// deno-lint-ignore no-explicit-any -- mirrors the signature of @std/assert, whose callers pass any constructor
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

export class AssertionError extends Error {
  override name = "AssertionError";
}

export function assert(condition: unknown, message = ""): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export function assertFalse(condition: unknown, message = ""): asserts condition is false {
  if (condition) throw new AssertionError(message);
}

export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.deepStrictEqual(actual, expected, message);
}

export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, message);
}

export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, message);
}

export function assertExists<T>(actual: T, message = "expected a value"): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) throw new AssertionError(message);
}

export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  if (!actual.includes(expected)) {
    throw new AssertionError(
      `${message ? message + ": " : ""}expected ${JSON.stringify(actual)} to contain ${
        JSON.stringify(expected)
      }`,
    );
  }
}

export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  nodeAssert.match(actual, expected, message);
}

export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, message?: string): void {
  for (const item of Array.from(expected)) {
    const found = Array.from(actual).some((candidate) => {
      try {
        nodeAssert.deepStrictEqual(candidate, item);
        return true;
      } catch {
        return false;
      }
    });
    if (!found) throw new AssertionError(message ?? `expected the array to contain ${JSON.stringify(item)}`);
  }
}

export function assertGreater<T>(actual: T, expected: T, message?: string): void {
  if (!(actual > expected)) throw new AssertionError(message ?? `expected ${actual} > ${expected}`);
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void {
  if (!(actual >= expected)) throw new AssertionError(message ?? `expected ${actual} >= ${expected}`);
}

export function assertLess<T>(actual: T, expected: T, message?: string): void {
  if (!(actual < expected)) throw new AssertionError(message ?? `expected ${actual} < ${expected}`);
}

export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void {
  if (!(actual <= expected)) throw new AssertionError(message ?? `expected ${actual} <= ${expected}`);
}

export function assertInstanceOf<T extends Error>(
  actual: unknown,
  expected: ErrorClass<T>,
  message?: string,
): asserts actual is T {
  if (!(actual instanceof expected)) {
    throw new AssertionError(
      message ?? `expected an instance of ${expected.name}, got ${Object.prototype.toString.call(actual)}`,
    );
  }
}

export function fail(message = "failed"): never {
  throw new AssertionError(message);
}

export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  includes?: string,
): E {
  try {
    fn();
  } catch (error) {
    return checked(error, errorClass, includes);
  }
  throw new AssertionError("expected the function to throw");
}

export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  includes?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checked(error, errorClass, includes);
  }
  throw new AssertionError("expected the function to reject");
}

function checked<E extends Error>(error: unknown, errorClass?: ErrorClass<E>, includes?: string): E {
  if (!(error instanceof Error)) {
    throw new AssertionError(`expected an Error to be thrown, got ${String(error)}`);
  }
  if (errorClass && !(error instanceof errorClass)) {
    throw new AssertionError(`expected ${errorClass.name}, got ${error.name}: ${error.message}`, {
      cause: error,
    });
  }
  if (includes !== undefined && !error.message.includes(includes)) {
    throw new AssertionError(
      `expected the error message ${JSON.stringify(error.message)} to contain ${JSON.stringify(includes)}`,
      { cause: error },
    );
  }
  return error as E;
}
