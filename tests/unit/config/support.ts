/**
 * Loads configurations from temporary folders, away from the process's own environment.
 *
 * @module
 */
import { join } from "node:path";
import { loadConfig, type LoadedConfig, type LoadOptions } from "../../../lib/config/load.ts";
import { ConfigurationError, type ConfigurationProblem } from "../../../lib/errors.ts";

/** Environment variables of a test. */
export function variables(values: Record<string, string> = {}): (name: string) => string | undefined {
  return (name) => Object.hasOwn(values, name) ? values[name] : undefined;
}

/** Runs `work` with a folder that holds `files`, by relative path. */
export async function withFolder<T>(
  files: Record<string, string>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, name);
      await Deno.mkdir(join(path, ".."), { recursive: true });
      await Deno.writeTextFile(path, text);
    }
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Loads a domain.toml of this text. */
export function load(text: string, options: Partial<LoadOptions> = {}): Promise<LoadedConfig> {
  return withFolder(
    { "domain.toml": text },
    (folder) => loadConfig({ domain: "my_domain", cwd: folder, variables: variables(), ...options }),
  );
}

/** Loads a configuration given in code. */
export function loadObject(
  config: Record<string, unknown>,
  options: Partial<LoadOptions> = {},
): Promise<LoadedConfig> {
  return loadConfig({ domain: "my_domain", config, cwd: "/", variables: variables(), ...options });
}

/** Everything that is wrong; fails when nothing is. */
export async function problemsOf(loading: Promise<LoadedConfig>): Promise<readonly ConfigurationProblem[]> {
  try {
    await loading;
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  throw new Error("expected the configuration to be refused");
}
