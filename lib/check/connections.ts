/**
 * How many connections the processes of a domain open together, server by server, as the guide's "Size the
 * pool against your database's ceiling" adds them up (CFG-2).
 *
 * @module
 */
import type { ConnectionNeed } from "../adapters/ports.ts";
import { outboxRouteCount } from "./outbox_routes.ts";
import type { DomainSubject, Scale } from "./subject.ts";

/** PostgreSQL's own default of `max_connections`. */
const POSTGRES_DEFAULT = 100;

/** The connections to one server. */
export interface ConnectionSum {
  readonly kind: "database" | "redis";
  readonly server: string;
  /** `databases.default`. */
  readonly sections: readonly string[];
  readonly total: number;
  /** The arithmetic, as a sentence without its full stop. */
  readonly arithmetic: string;
  /** What there is to have; undefined: nobody knows. */
  readonly limit: number | undefined;
  /** Where the limit is from, as the end of a sentence. */
  readonly limitFrom: string;
}

interface Term extends ConnectionNeed {
  readonly section: string;
  readonly isDatabase: boolean;
  readonly budget: number | undefined;
}

/** One sum for every server; a database with a `connection_budget` of its own has one for itself. */
export function connectionSums(subject: DomainSubject): readonly ConnectionSum[] {
  const terms = subject.adapters.flatMap((of) => termOf(subject, of));
  const groups = Map.groupBy(
    terms,
    ({ server, section, budget, isDatabase }) =>
      `${isDatabase} ${server}${budget === undefined ? "" : ` ${section}`}`,
  );
  return [...groups.values()].map((group) => sumOf(subject, group));
}

function termOf(
  subject: DomainSubject,
  { kind, section, adapter }: DomainSubject["adapters"][number],
): Term[] {
  const { config } = subject.loaded;
  const table = kind === "provider" ? config.databases[adapter.name] : undefined;
  const outboxProcessors = kind === "provider" && table?.managed !== false ? outboxRouteCount(config) : 0;
  const need = adapter.connectionNeed({ outboxProcessors });
  if (!need) return [];
  const isDatabase = kind === "provider" || kind === "event_store";
  return [{ ...need, section, isDatabase, budget: table?.connection_budget }];
}

function sumOf(subject: DomainSubject, all: readonly Term[]): ConnectionSum {
  const { scale } = subject;
  const terms = withoutShared(all);
  const [first] = terms;
  const isDatabase = first?.isDatabase ?? false;
  const sections = all.map(({ section }) => section);
  const total = terms.reduce((sum, term) => sum + inAll(scale, term), 0);
  const parts = terms.map((term) => arithmetic(scale, term, terms.length > 1));
  const together = terms.length > 1 || parts[0]?.summands === 2 ? `; ${total} together` : "";
  return {
    kind: isDatabase ? "database" : "redis",
    server: first?.server ?? "",
    sections,
    total,
    arithmetic: parts.map(({ text }) => text).join("; ") + together,
    ...limitOf(subject, { budget: first?.budget, section: sections[0] ?? "", sections, isDatabase }),
  };
}

/** Of those that share one pool the largest alone. */
function withoutShared(terms: readonly Term[]): readonly Term[] {
  const shared = terms.filter(({ isShared }) => isShared).sort((a, b) => b.pool - a.pool);
  const [largest] = shared;
  return terms.filter((term) => !term.isShared || term === largest);
}

function processes({ workers, replicas }: Scale): number {
  return workers * replicas;
}

function inAll(scale: Scale, term: Term): number {
  return processes(scale) * (term.pool + term.overflow + besides(term));
}

function besides({ beside }: Term): number {
  return beside.reduce((sum, { count }) => sum + count, 0);
}

/** `2 × 4 × (10 + 20) = 240 connections, and 2 × 4 × 4 = 32 beside the pool (…)`. */
function arithmetic(
  scale: Scale,
  term: Term,
  isNamed: boolean,
): { readonly text: string; readonly summands: number } {
  const { workers, replicas } = scale;
  const factors = replicas === 1 ? `${workers}` : `${replicas} × ${workers}`;
  const { pool, overflow, beside, section } = term;
  const inPool = processes(scale) * (pool + overflow);
  const size = term.isDatabase ? `(${pool} + ${overflow})` : `${pool}`;
  const named = isNamed ? ` of '${section}'` : "";
  const text = `${factors} × ${size} = ${inPool} connections${named}`;
  const further = besides(term);
  if (further === 0) return { text, summands: 1 };
  const what = beside.map(({ what }) => what).join(", ");
  return {
    text: `${text}, and ${factors} × ${further} = ${processes(scale) * further} beside the pool (${what})`,
    summands: 2,
  };
}

/** `connection_budget`, else what the server has to give, else what PostgreSQL has by default. */
function limitOf(
  { servers, loaded: { config } }: DomainSubject,
  { budget, section, sections, isDatabase }: {
    readonly budget: number | undefined;
    readonly section: string;
    readonly sections: readonly string[];
    readonly isDatabase: boolean;
  },
): Pick<ConnectionSum, "limit" | "limitFrom"> {
  if (budget !== undefined) return { limit: budget, limitFrom: `the connection_budget of '${section}'` };
  const seen = servers?.find((server) => sections.includes(server.section))?.facts;
  const most = seen?.maxConnections;
  if (seen && most !== undefined && isDatabase) {
    const reserved = seen.reservedConnections ?? 0;
    const others = seen.others ?? [];
    const taken = others.reduce((sum, { connections }) => sum + connections, 0);
    const names = others.slice(0, MOST_NAMES).map(({ application, connections }) =>
      `${application}: ${connections}`
    );
    return {
      limit: most - reserved - taken,
      limitFrom:
        `the server's max_connections of ${most}, less ${reserved} reserved and ${taken} that others hold${
          names.length > 0 ? ` (${names.join(", ")}${others.length > MOST_NAMES ? ", …" : ""})` : ""
        }`,
    };
  }
  if (most !== undefined) return { limit: most, limitFrom: `the server's maxclients of ${most}` };
  const name = section.split(".").slice(1).join(".");
  const provider = section === "event_store"
    ? config.event_store?.provider
    : config.databases[name]?.provider;
  if (!isDatabase || provider !== "postgresql") return { limit: undefined, limitFrom: "not known" };
  const why = servers ? "the server did not tell its own" : "--connect asks the server for its own";
  return { limit: POSTGRES_DEFAULT, limitFrom: `PostgreSQL's default max_connections of 100; ${why}` };
}

/** So many applications are named in a sentence. */
const MOST_NAMES = 5;
