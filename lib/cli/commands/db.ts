/**
 * `db`: the tables of a domain in its databases (design 12). Where a provider has no tables it does nothing.
 *
 * @module
 */
import { Command } from "commander";
import { isStep } from "../../adapters/migrations.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { audited, whoIs } from "../../operations/audit.ts";
import type { Cli } from "../cli.ts";
import { confirm } from "../confirm.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import {
  type ActorOptions,
  addActor,
  addCommonOptions,
  type DomainOptions,
  type LogOptions,
} from "../options.ts";
import { EXIT_FAILURE } from "../report.ts";
import {
  changeJson,
  changeSql,
  componentJson,
  componentRows,
  type PlaceSchema,
  placesOf,
  schemasOf,
} from "../schema_view.ts";
import { table } from "../table.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions, ActorOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** One verb of `db` that does something to every database. */
interface Verb {
  readonly name: string;
  readonly description: string;
  readonly done: string;
  /** Asked first where data is destroyed; `changes` are what will be. */
  readonly question?: (changes: string) => string;
  /** What it will have done, asked before it does it. */
  readonly changes: (runtime: DomainRuntime) => Promise<Changes>;
  readonly run: (runtime: DomainRuntime) => Promise<void>;
}

/** What a verb changes. */
interface Changes {
  /** Key in the envelope: `dropped`. */
  readonly key: string;
  readonly json: unknown;
  /** `the tables a, b of database 'default'`; undefined: nothing. */
  readonly words: string | undefined;
  /** The sentences about it. */
  readonly done: string;
  readonly nothing: string;
}

/** What `drop` and `truncate` do not touch. */
const LEFT =
  "Streams, caches and the event store's table messages stay, and protean_schema with their versions.";

const VERBS: readonly Verb[] = [
  {
    name: "setup",
    description: "Create every table that is missing, and upgrade those that are older; safe to repeat.",
    done: "Database tables created successfully.",
    changes: async (runtime) => upgraded(await schemasOf(placesOf(runtime))),
    run: upgradeAll,
  },
  {
    name: "setup-outbox",
    description: "Create or upgrade the server's own tables, outbox and idempotency marks.",
    done: "Outbox tables created successfully.",
    changes: async (runtime) =>
      upgraded(
        await schemasOf(
          placesOf(runtime).filter(({ kind }) => kind === "database").map((place) => ({
            ...place,
            tables: [],
          })),
        ),
      ),
    run: async ({ providers }) => {
      for (const provider of providers.values()) await provider.setup("own", []);
    },
  },
  {
    name: "drop",
    description:
      "Drop every table of the domain, the server's own too, but not the event store's. Their data is lost.",
    done: "Database tables dropped successfully.",
    question: (tables) => `Drop ${tables}? Their data is lost. ${LEFT}`,
    changes: async (runtime) => ofTables(await droppable(runtime), "dropped", "Dropped"),
    run: async ({ providers, tables }) => {
      for (const [name, provider] of providers) await provider.drop(tables.get(name) ?? []);
    },
  },
  {
    name: "truncate",
    description: "Empty every table of the domain, the outbox and the marks too, but not the event store's.",
    done: "Database tables truncated successfully.",
    question: () =>
      `Empty every table of the domain, the outbox and the idempotency marks too? Their data is lost. ${LEFT}`,
    changes: async (runtime) => ofTables(await emptied(runtime), "emptied", "Emptied"),
    run: async ({ providers, tables }) => {
      for (const [name, provider] of providers) await provider.truncate(tables.get(name) ?? []);
    },
  },
];

export function dbCommand(cli: Cli): Command {
  const group = withExamples(
    new Command("db").description("Create, upgrade, empty or drop the tables of a domain."),
    [
      ["db setup --domain=my_domain", "create what is missing"],
      ["db status --domain=my_domain", "versions of the tables"],
      ["db upgrade --domain=my_domain --dry-run", "the SQL that would bring them to this server's"],
      ["db truncate --domain=my_domain --yes", "empty every table without being asked"],
    ],
  );
  for (const verb of VERBS) group.addCommand(verbCommand(cli, verb));
  group.addCommand(statusCommand(cli));
  group.addCommand(upgradeCommand(cli));
  return group;
}

function statusCommand(cli: Cli): Command {
  const command = new Command("status").description(
    "Show the versions of all tables, and those that this server makes. Changes nothing.",
  );
  addCommonOptions(command);
  return withExamples(command, [["db status --domain=my_domain --json", "for a program"]])
    .action((options: Options) => status(cli, options));
}

function upgradeCommand(cli: Cli): Command {
  const command = new Command("upgrade")
    .description("Bring all tables to this server's versions; safe to repeat.")
    .option("--dry-run", "print the SQL, and change nothing")
    .option("--yes", "do not ask before a change that older servers cannot work with");
  addCommonOptions(addActor(command));
  return withExamples(command, [
    ["db upgrade --domain=my_domain --dry-run", "what would be done"],
    ["db upgrade --domain=my_domain --yes", "without being asked"],
  ]).action((options: Options) => upgrade(cli, options));
}

function verbCommand(cli: Cli, verb: Verb): Command {
  const command = new Command(verb.name).description(verb.description);
  if (verb.question) command.option("--yes", "do not ask");
  addCommonOptions(addActor(command));
  return withExamples(command, [[`db ${verb.name} --domain=my_domain`, verb.description]])
    .action((options: Options) => run(cli, verb, options));
}

async function run(cli: Cli, verb: Verb, options: Options): Promise<void> {
  await withDomain(cli, options, async (runtime) => {
    const changes = await verb.changes(runtime);
    const question = verb.question?.(changes.words ?? "no table, as there is none");
    if (question !== undefined && !await confirm(cli, `${question} Go on?`, options.yes)) {
      cli.io.err("Nothing was changed.\n");
      return;
    }
    const work = () => verb.run(runtime);
    // Where there is nothing to change, nobody has changed anything.
    if (changes.words === undefined) await work();
    else await noted(cli, runtime, `db.${verb.name}`, options, work);
    if (options.json) {
      const providers = [...runtime.providers.keys()];
      cli.io.out(envelope("pass", { providers, [changes.key]: changes.json, message: verb.done }));
      return;
    }
    tell(cli, changes);
    cli.io.out(`${verb.done}\n`);
  }, { migrate: false });
}

function noted(
  cli: Cli,
  runtime: DomainRuntime,
  what: string,
  { by, reason }: Options,
  work: () => Promise<void>,
): Promise<void> {
  return audited(runtime, { what, by: whoIs(by, (name) => cli.io.env(name)), reason }, work);
}

function tell(cli: Cli, { words, done, nothing }: Changes): void {
  cli.io.err(words === undefined ? `${nothing}\n` : `${done} ${words}.\n`);
}

async function status(cli: Cli, options: Options): Promise<void> {
  await withDomain(cli, options, async (runtime) => {
    const schemas = await schemasOf(placesOf(runtime));
    const states = new Set(schemas.flatMap(({ components }) => components.map(({ state }) => state)));
    const unusable = states.has("incompatible");
    if (unusable) cli.exitCode = EXIT_FAILURE;
    if (options.json) {
      const wanting = unusable ? "fail" : states.has("behind") || states.has("missing") ? "warn" : "pass";
      cli.io.out(envelope(wanting, { components: schemas.flatMap(componentJson) }));
      return;
    }
    const rows = componentRows(schemas);
    if (rows.length === 0) cli.io.out("No adapter of the domain has tables.\n");
    else cli.io.out(await table(cli, ["Place", "Component", "Version", "Latest", "State"], rows));
  }, { migrate: false });
}

async function upgrade(cli: Cli, options: Options): Promise<void> {
  await withDomain(cli, options, async (runtime) => {
    const schemas = await schemasOf(placesOf(runtime));
    const changes = schemas.flatMap((place) =>
      place.components.flatMap(({ pending }) => pending.map((change) => ({ place, change })))
    );
    const json = changes.map(({ place, change }) => changeJson(place, change));
    if (options.dryRun) {
      if (options.json) cli.io.out(envelope("pass", { dry_run: true, changes: json }));
      else cli.io.out(changes.map(({ place, change }) => changeSql(place, change)).join("\n"));
      if (changes.length === 0) cli.io.err(`${ALL_CURRENT}\n`);
      return;
    }
    const question = breaking(schemas);
    if (question && !await confirm(cli, question, options.yes)) {
      cli.io.err("Nothing was changed.\n");
      return;
    }
    await noted(cli, runtime, "db.upgrade", options, () => upgradeAll(runtime));
    if (options.json) {
      cli.io.out(envelope("pass", { dry_run: false, changes: json }));
      return;
    }
    tell(cli, upgraded(schemas));
    cli.io.out(`Tables upgraded successfully: ${changes.length} change(s).\n`);
  }, { migrate: false });
}

async function upgradeAll(runtime: DomainRuntime): Promise<void> {
  for (const { adapter, tables } of placesOf(runtime)) await adapter.upgrade(tables);
}

/** The question before steps that older servers cannot work with; undefined where there are none. */
function breaking(schemas: readonly PlaceSchema[]): string | undefined {
  const steps = schemas.flatMap(({ label, components }) =>
    components.flatMap(({ pending }) => pending.filter((change) => isStep(change) && !change.additive))
      .map(({ component, to }) => `${component} of ${label} to version ${to}`)
  );
  if (steps.length === 0) return undefined;
  return `Servers older than this one cannot work on it any more: upgrade ${steps.join(", ")}?`;
}

async function droppable(
  { providers, tables }: DomainRuntime,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const [name, provider] of providers) {
    found.set(name, await provider.droppable(tables.get(name) ?? []));
  }
  return found;
}

/** Those of `droppable` that `truncate` empties: leases, locks and versions stay. */
async function emptied(runtime: DomainRuntime): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = await droppable(runtime);
  return new Map([...found].map(([name, tables]) => {
    const own = (runtime.tables.get(name) ?? []).map((table) => table.name);
    return [name, tables.filter((table) => EMPTIED.has(table) || own.includes(table))];
  }));
}

/** The server's own tables that hold what `truncate` takes away. */
const EMPTIED: ReadonlySet<string> = new Set(["protean_outbox", "protean_processed"]);

const ALL_CURRENT = "Every table has this server's version.";

/** What bringing these to this server's versions changes. */
function upgraded(schemas: readonly PlaceSchema[]): Changes {
  const changes = schemas.flatMap((place) =>
    place.components.flatMap(({ pending }) => pending.map((change) => changeJson(place, change)))
  );
  const parts = schemas.flatMap(({ label, components }) => {
    const names = components.filter(({ pending }) => pending.length > 0).map(({ component }) => component);
    return names.length === 0 ? [] : [`${names.join(", ")} of ${label}`];
  });
  return {
    key: "changes",
    json: changes,
    words: parts.length === 0 ? undefined : parts.join("; "),
    done: "Created or upgraded",
    nothing: ALL_CURRENT,
  };
}

/** What `done` was done to, told under `key`. */
function ofTables(tables: ReadonlyMap<string, readonly string[]>, key: string, done: string): Changes {
  const nothing = `${done} no table, as there is none.`;
  return { key, json: Object.fromEntries(tables), words: inWords(tables), done, nothing };
}

/** `the tables a, b of database 'default'`; undefined where there is none. */
function inWords(tables: ReadonlyMap<string, readonly string[]>): string | undefined {
  const parts = [...tables].filter(([, names]) => names.length > 0)
    .map(([name, names]) => `${names.join(", ")} of database '${name}'`);
  return parts.length === 0 ? undefined : `the tables ${parts.join("; ")}`;
}
