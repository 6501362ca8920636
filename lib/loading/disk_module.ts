/**
 * Imports a module from disk: a domain, or an adapter that `domain.toml` names.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { abortable } from "../async/abort.ts";
import { type Clock, systemClock } from "../async/clock.ts";
import { asError } from "../errors.ts";
import { loadsTypeScript } from "../executable/standalone.ts";
import { cannotLoadTypeScript, isTypeScript, whyNotImported } from "./import_failure.ts";

/** How long a module's top-level `await` may take, in seconds. */
const LONGEST_LOAD_SECONDS = 60;

export interface DiskModuleOptions {
  /** @default the machine's */
  readonly clock?: Clock;
  /** Ends the wait for a module that is still loading; the import then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Imports the module at the absolute path `file`. Throws an `Error` whose message is the rest of a sentence,
 * without its full stop, such as `'/shop/domain.js' imports the package 'leftpad', which …`; what the runtime
 * said is its cause.
 */
export async function importFromDisk(
  file: string,
  { clock = systemClock, signal }: DiskModuleOptions = {},
): Promise<Readonly<Record<string, unknown>>> {
  signal?.throwIfAborted();
  if (isTypeScript(file) && !loadsTypeScript()) throw new Error(cannotLoadTypeScript());
  await assertReadable(file);
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(LONGEST_LOAD_SECONDS * 1000, () => {
    late.reject(
      new Error(
        `it has not finished within ${LONGEST_LOAD_SECONDS} s: an await at its top level, or of something that it imports, does not end`,
      ),
    );
  });
  try {
    const loading = import(pathToFileURL(file).href).catch((cause) => {
      throw new Error(whyNotImported(cause, file), { cause });
    });
    return await abortable(Promise.race([loading, late.promise]), signal);
  } finally {
    cancel();
  }
}

/** The runtime tells of an unreadable file without its name. */
async function assertReadable(file: string): Promise<void> {
  try {
    (await Deno.open(file)).close();
  } catch (cause) {
    throw new Error(`the file cannot be read: ${asError(cause).message.split("\n", 1)[0]}`, { cause });
  }
}
