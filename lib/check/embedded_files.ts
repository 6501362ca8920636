/**
 * Which sections of a configuration are SQLite files, and which live in memory.
 *
 * @module
 */
import type { Config } from "../config/schema.ts";

/** Sections with this provider: `databases.default`, `event_store`. */
function sectionsWith(config: Config, provider: string): readonly string[] {
  const { databases, brokers, caches, event_store } = config;
  const named = Object.entries({ databases, brokers, caches }).flatMap(([section, tables]) =>
    Object.entries(tables).map(([name, table]) => ({
      section: `${section}.${name}`,
      provider: table.provider,
    }))
  );
  const all = [...named, ...event_store ? [{ section: "event_store", provider: event_store.provider }] : []];
  return all.filter((one) => one.provider === provider).map(({ section }) => section);
}

/** Those that are files. */
export function embeddedFiles(config: Config): readonly string[] {
  return sectionsWith(config, "sqlite");
}

/** Those that one process or machine alone sees. */
export function embeddedSections(config: Config): readonly string[] {
  return [...sectionsWith(config, "memory"), ...embeddedFiles(config)];
}
