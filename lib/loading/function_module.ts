/**
 * Functions that `domain.toml` names: `./alerts.js#onDlqAlert`, or dotted as Python has it,
 * `alerts.on_dlq_alert` (design 0).
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { asError, ConfigurationError } from "../errors.ts";
import { importFromDisk } from "./disk_module.ts";

/** A function as it was exported. */
export type Loaded = (...given: readonly unknown[]) => unknown;

interface Place {
  /** Absolute paths, the first that is there counts. */
  readonly files: readonly string[];
  /** Exports, the first that is a function counts. */
  readonly names: readonly string[];
}

/**
 * Loads the function that the value of `key` names, relative to `folder`. A path without `#name` means the
 * default export. Throws `ConfigurationError` with the code `CONFIG_UNLOADABLE_FUNCTION`.
 */
export async function loadFunction(key: string, value: string, folder: string): Promise<Loaded> {
  const { files, names } = placeOf(key, value, folder);
  const file = await firstThere(files);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await importFromDisk(file);
  } catch (cause) {
    throw failure(key, value, asError(cause).message, cause);
  }
  for (const name of names) {
    const found = Object.hasOwn(exported, name) ? exported[name] : undefined;
    if (typeof found === "function") return found as Loaded;
  }
  throw failure(key, value, `'${file}' exports no function '${names.join("' or '")}'`);
}

function placeOf(key: string, value: string, folder: string): Place {
  if (/^(\.{0,2}\/|file:)/.test(value) || /\.[cm]?[jt]s(#|$)/.test(value)) {
    const [path = "", name = "default"] = value.split("#", 2);
    return {
      files: [path.startsWith("file:") ? fileURLToPath(path) : resolve(folder, path)],
      names: [name === "" ? "default" : name],
    };
  }
  const parts = value.split(".");
  const name = parts.pop() ?? "";
  if (parts.length === 0 || name === "" || parts.includes("")) {
    throw failure(key, value, "it names no module, as './alerts.js#onDlqAlert' does");
  }
  const path = resolve(folder, ...parts);
  return { files: [`${path}.js`, `${path}.ts`], names: [...new Set([name, camelCase(name)])] };
}

async function firstThere(files: readonly string[]): Promise<string> {
  for (const file of files) {
    try {
      await Deno.stat(file);
      return file;
    } catch {
      // Whoever imports the last one says why not.
    }
  }
  return files[0] ?? "";
}

function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase());
}

function failure(key: string, value: string, reason: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(`The function '${value}' of ${key} cannot be loaded: ${reason}.`, {
    code: "CONFIG_UNLOADABLE_FUNCTION",
    cause,
  });
}
