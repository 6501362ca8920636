/**
 * Tries hostile inputs for as long as there is time. `FUZZ_SECONDS` is the time of all targets together (60
 * by default, an hour by `deno task fuzz`), `PROPERTY_SEED` chooses other inputs; the seed and the whole
 * input of a failure are in its message. An input that a check does not come back from is told by the
 * watchdog.
 *
 * @module
 */
import fc from "../support/property.ts";
import { Watchdog } from "./watchdog.ts";

const DEFAULT_SECONDS = 60;
const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") || DEFAULT_SECONDS);
/** Several times what the slowest honest input needs on a machine that is busy with other tests. */
const SLOW_MS = 5_000;

export interface FuzzOptions<T> {
  /** Of the time of all targets: a sixth for each file of this folder. */
  readonly share: number;
  /**
   * Inputs in the default time: the same ones on every machine that is fast enough. A longer time has no such
   * end.
   */
  readonly runs: number;
  /** @default false */
  readonly ignore?: boolean;
  /** How many inputs one is. @default 1 */
  readonly count?: (input: T) => number;
}

/**
 * Registers a test that calls `check` with one input after the other; it fails with the first that `check`
 * throws for, or takes too long over.
 */
export function fuzz<T>(
  name: string,
  { share, runs, ignore = false, count = () => 1 }: FuzzOptions<NoInfer<T>>,
  inputs: fc.Arbitrary<T>,
  check: (input: T) => void | Promise<void>,
): void {
  Deno.test({
    name: `fuzz: ${name}`,
    ignore,
    async fn() {
      const before = prototypes();
      let tried = 0;
      let last: Promise<void> | undefined;
      const one = async (input: T) => {
        tried += count(input);
        if (await timed(name, input, check) > SLOW_MS && await timed(name, input, check) > SLOW_MS) {
          throw new Error(`The input takes more than ${SLOW_MS} ms.`);
        }
        if (prototypes() !== before) throw new Error("The input has changed a prototype.");
      };
      const property = fc.asyncProperty(inputs, (input) => last = one(input));
      const began = performance.now();
      await fc.assert(property, {
        numRuns: SECONDS > DEFAULT_SECONDS ? 2 ** 31 - 1 : runs,
        interruptAfterTimeLimit: Math.max(1, SECONDS * share * 1000),
        verbose: fc.VerbosityLevel.None,
      });
      // The time is over in the middle of an input.
      await last;
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const { seed } = fc.readConfigureGlobal();
      say(`fuzz: ${name}: ${tried} inputs in ${seconds} s, seed ${seed}`);
    },
  });
}

/** Writes a line that is read whether the test passes or not. */
export function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

const watchdog = new Watchdog();
Deno.test.afterAll(() => watchdog.stop());

async function timed<T>(name: string, input: T, check: (input: T) => void | Promise<void>): Promise<number> {
  watchdog.begin(() => `fuzz: ${name}: ${typeof input === "string" ? input : fc.stringify(input)}`);
  const began = performance.now();
  try {
    await check(input);
  } finally {
    watchdog.end();
  }
  return performance.now() - began;
}

/** What every object inherits. */
function prototypes(): string {
  return [Object.prototype, Array.prototype, Function.prototype, String.prototype, Number.prototype]
    .map((prototype) => Reflect.ownKeys(prototype).map(String).join()).join(";");
}
