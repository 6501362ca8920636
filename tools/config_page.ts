/**
 * `docs/reference/configuration.md`, made from the schema of `domain.toml`.
 *
 * @module
 */
import { COMPLETED, DECIDED_LATER } from "../lib/config/derived_defaults.ts";
import { ineffective, withoutEffect } from "../lib/config/no_effect.ts";
import { isPythonOnly } from "../lib/config/python_only.ts";
import { dotted } from "../lib/config/tree.ts";
import { PROFILES } from "../lib/subscription/settings/profiles.ts";
import { type ConfigKey, type ConfigTable, configTables } from "./config_keys.ts";
import { code, table } from "./reference_table.ts";
import { history, since } from "./since.ts";

const HEAD = `<!-- Made by \`deno task docs\` from lib/config. Do not edit. -->

# Configuration

\`domain.toml\` lies beside the domain module or up to two folders above it, or is named by \`--config\`; without one every default holds. It is checked whole before anything starts: an unknown key, a wrong type or an impossible value ends the start with exit 2 and names file, line, key and the nearest valid key. \`protean-server config print --origin\` prints what is in effect and where each value came from, \`config schema\` the JSON Schema for editors.

- \`"\${NAME}"\` inside of a text is the environment variable, \`"\${NAME|fallback}"\` the same with a default. Numbers, truth values and choices may come from there as well.
- Any other top-level table is an overlay: \`[production.server]\` is laid over \`[server]\` when PROTEAN_ENV is \`production\`.
- What is written in code (\`domain.init\`, the options of a handler) goes before the file.

\`*\` in the name of a table is any name of yours; \`default\` is used where nothing else is named. "Fixed" means that the default depends on nothing. A setting of a subscription is taken from the first of these that has it: the handler's own options, the profile that it names, [server.subscriptions.*] and the profile named there, what is written in [server] and its tables, [server] default_subscription_profile, the defaults; \`protean-server subscriptions config\` shows the result for each handler and where it came from.

| environment variable | |
| --- | --- |
| \`PROTEAN_DOMAIN\` | the domain, where \`--domain\` is not given |
| \`PROTEAN_ENV\` | name of the overlay |
| \`PROTEAN_DATA_DIR\` | folder of the embedded databases |
| \`PROTEAN_LOG_LEVEL\` | level of the log, where \`--log-level\` is not given |
| \`PROTEAN_RELEASE\` | [server] release, where that is not set |
| \`PROTEAN_USER\` | who does it, for the audit, where \`--by\` is not given |
`;

/** The text of the page. */
export function configPage(): string {
  return `${HEAD}${configTables().filter(({ keys }) => keys.length > 0).map(section).join("")}${profiles()}`;
}

/** The dotted names of all keys. */
export function configKeyNames(): readonly string[] {
  return configTables().flatMap(({ keys }) => keys.map(nameOf));
}

function nameOf({ table, name }: ConfigKey): string {
  return [...table, name].join(".");
}

function section({ path, description, keys }: ConfigTable): string {
  const title = path.length === 0
    ? "Top level"
    : code(`[${path.map((key) => key === "*" ? key : dotted([key])).join(".")}]`);
  const rows = keys.map(rowOf);
  return `\n## ${title}\n\n${description === "" ? "" : `${description}\n\n`}${
    table(["key", "type", "default", "origin of the default", "since", "meaning"], rows)
  }`;
}

function rowOf(key: ConfigKey): string[] {
  const [fallback, origin] = defaultOf(key);
  return [code(key.name), key.type, fallback, origin, since(nameOf(key), history()), meaning(key)];
}

/** Settings that have their default elsewhere, when nobody has set them here. */
const LEFT_TO_OTHERS: Readonly<Record<string, string>> = {
  "server.subscriptions.*": "the profile, else [server]",
  "server.profiles.*": "`inherits`, else [server]",
};

function defaultOf(key: ConfigKey): readonly [fallback: string, origin: string] {
  const derived = COMPLETED[nameOf(key)] ?? DECIDED_LATER[nameOf(key)];
  if (derived) return derived;
  if (isPythonOnly([...key.table, key.name])) return ["", ""];
  if (key.fallback !== undefined) return [code(JSON.stringify(key.fallback)), "fixed"];
  return ["none", LEFT_TO_OTHERS[key.table.join(".")] ?? ""];
}

function meaning({ table, name, description }: ConfigKey): string {
  const path = [...table, name];
  if (isPythonOnly(path)) return "Read by Python Protean alone; accepted, so that both can share a file.";
  const why = ineffective(path);
  const effect = why && !why.unless ? `It ${withoutEffect(why)}` : "";
  return [description, effect].filter((text) => text !== "").join(" ");
}

function profiles(): string {
  const names = Object.entries(PROFILES);
  const keys = [...new Set(names.flatMap(([, settings]) => Object.keys(settings)))];
  const rows = keys.map((key) => [
    code(key),
    ...names.map(([, settings]) => {
      const value = (settings as Readonly<Record<string, unknown>>)[key];
      return value === undefined ? "" : code(JSON.stringify(value));
    }),
  ]);
  return `\n## The built-in profiles\n\nNamed by a handler (\`subscriptionProfile\`), by [server.subscriptions.*] profile or by [server] default_subscription_profile; one of [server.profiles] may inherit from them.\n\n${
    table(["setting", ...names.map(([name]) => code(name))], rows)
  }`;
}
