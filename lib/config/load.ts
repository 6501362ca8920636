/**
 * Finds, reads and checks `domain.toml` (design 6; CFG-1, CFG-5).
 *
 * @module
 */
import { parse } from "@std/toml";
import { dirname, resolve } from "node:path";
import type { ConfigurationProblem } from "../errors.ts";
import { complete } from "./defaults.ts";
import { displayName, findFile } from "./discover.ts";
import type { LoadedConfig } from "./loaded.ts";
import { locate } from "./locate.ts";
import { endingWithHint } from "./nearest.ts";
import { configurationError, refusedValue, unresolvedVariable } from "./problems.ts";
import { brokenRules } from "./rules.ts";
import { configSchema } from "./schema.ts";
import { type Input, Source } from "./source.ts";
import { substitute, type Variables } from "./substitute.ts";
import { dotted, isTable, type Table, valueAt } from "./tree.ts";
import { unusableTlsFiles } from "./tls_files.ts";
import { coerce } from "./walk.ts";

export type { LoadedConfig, Origin } from "./loaded.ts";

/** What to load, and the surroundings, which tests replace. */
export interface LoadOptions {
  /** The domain's name. */
  readonly domain: string;
  /** Path of a file, or the configuration itself (in which nothing is substituted, as upstream). */
  readonly config?: string | Record<string, unknown>;
  /** Name of the overlay. Defaults to `PROTEAN_ENV`. */
  readonly env?: string;
  /** Environment variables. Defaults to the process's own. */
  readonly variables?: Variables;
  /** Folder of the domain module; absent for a compiled-in domain. */
  readonly moduleFolder?: string;
  /** Folder of the executable, for a compiled-in domain. */
  readonly executableFolder?: string;
  /** Defaults to the current folder. */
  readonly cwd?: string;
  /** Used when no file is found. */
  readonly embedded?: { readonly text: string; readonly file: string };
}

/** What was found to load. */
interface Found {
  readonly input: Input;
  readonly path?: string;
  readonly substituted: boolean;
  readonly warnings: readonly ConfigurationProblem[];
}

/**
 * Loads the configuration of a domain: file or object, overlay of the environment, substituted variables,
 * defaults. Throws one `ConfigurationError` that lists every problem with file, line, key, value and nearest
 * valid word.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const variables = options.variables ?? ((name) => Deno.env.get(name));
  const cwd = resolve(options.cwd ?? Deno.cwd());
  const env = (options.env ?? variables("PROTEAN_ENV")) || undefined;

  const found = await find(options, variables, cwd);
  const source = new Source(found.input, env);
  const { tree, used, failures } = substitute(source.merged, found.substituted ? variables : undefined);
  const completed = coerce(
    configSchema,
    complete(tree, {
      domain: options.domain,
      kubernetes: variables("KUBERNETES_SERVICE_HOST") || undefined,
      release: variables("PROTEAN_RELEASE")?.trim() || undefined,
    }),
  ) as Table;
  // Read once: to compile a validator for each table would take longer than the reading.
  const result = configSchema.safeParse(completed, { jitless: true });

  // A text that could not be substituted is wrong for that reason alone.
  const unresolved = new Set(failures.map(({ path }) => dotted(path)));
  const findings = [
    ...source.findings,
    ...failures.map(unresolvedVariable),
    ...(result.error?.issues ?? [])
      .filter(({ code }) => code !== "unrecognized_keys")
      .map((issue) => refusedValue(configSchema, issue, completed))
      .filter(({ path }) => !unresolved.has(dotted(path))),
    ...brokenRules(completed).filter(({ path }) => !unresolved.has(dotted(path))),
  ];
  if (!result.success || findings.length > 0) {
    throw configurationError(findings.map((finding) => source.located(finding)));
  }

  const folder = found.path === undefined ? resolve(cwd, options.moduleFolder ?? ".") : dirname(found.path);
  // A cache that nobody has named has the broker's settings, which have been told.
  const unusable = (await unusableTlsFiles(result.data as Table, { folder, cwd }))
    .filter(({ path }) => valueAt(tree, path) !== undefined);
  if (unusable.length > 0) throw configurationError(unusable.map((finding) => source.located(finding)));
  const dataDir = variables("PROTEAN_DATA_DIR");
  return {
    config: result.data,
    path: found.path,
    folder,
    dataFolder: dataDir ? resolve(cwd, dataDir) : found.path === undefined ? cwd : folder,
    origins: source.origins((path) => variablesIn(used, dotted(path))),
    warnings: [...found.warnings, ...environmentWarning(source)],
    env,
    written: source.merged,
  };
}

/** Variables in a value or, where it is a list, in its items. */
function variablesIn(used: ReadonlyMap<string, readonly string[]>, key: string): string[] {
  return [...used].filter(([place]) => place === key || place.startsWith(`${key}[`)).flatMap(([, names]) =>
    names
  );
}

async function find(options: LoadOptions, variables: Variables, cwd: string): Promise<Found> {
  const { config, moduleFolder, executableFolder, embedded } = options;
  if (typeof config === "object") {
    if (!isTable(config)) {
      throw configurationError([{
        code: "CONFIG_WRONG_TYPE",
        message: "The configuration must be a path or a plain object.",
      }]);
    }
    return { input: { tree: config }, substituted: false, warnings: [] };
  }
  const root = variables("DOMAIN_ROOT_PATH");
  const { file, warnings } = await findFile({
    cwd,
    ...(config === undefined ? {} : { config }),
    ...(root ? { root } : {}),
    ...(moduleFolder === undefined ? {} : { moduleFolder }),
    ...(executableFolder === undefined ? {} : { executableFolder }),
  });
  if (file) {
    return {
      input: read(file.text, displayName(file.path, cwd)),
      path: file.path,
      substituted: true,
      warnings,
    };
  }
  if (embedded) return { input: read(embedded.text, embedded.file), substituted: true, warnings };
  const message = `No domain.toml was found for '${options.domain}': it runs on the embedded default.`;
  return {
    input: { tree: {} },
    substituted: false,
    warnings: [...warnings, { code: "CONFIG_NOT_FOUND", message }],
  };
}

/** Parses a TOML text. Throws `ConfigurationError`. */
function read(text: string, file: string): Input {
  try {
    return { tree: parse(text), file, locate: () => locate(text) };
  } catch (cause) {
    const told = cause instanceof Error ? cause.message : String(cause);
    const [, line, column, reason] = /line (\d+), column (\d+): (.*)/.exec(told) ?? [];
    const message = line === undefined
      ? `Not valid TOML: ${told.split("\n")[0]}.`
      : `Not valid TOML at column ${column}: ${reason}.`;
    // The parser's own error quotes the line, which may hold a secret.
    throw configurationError(
      [{ code: "CONFIG_MALFORMED", message, file, ...(line === undefined ? {} : { line: Number(line) }) }],
      new SyntaxError(told.split("\n")[0]),
    );
  }
}

/**
 * PROTEAN_ENV=prod beside `[production]` is a slip that would otherwise run on the base configuration in
 * silence.
 */
function environmentWarning({ env, environments }: Source): ConfigurationProblem[] {
  if (env === undefined || environments.includes(env)) return [];
  const hint = endingWithHint(env, environments);
  if (hint === ".") return [];
  return [{
    code: "CONFIG_UNKNOWN_ENVIRONMENT",
    message: `The configuration has no overlay for environment '${env}'${hint}`,
  }];
}
