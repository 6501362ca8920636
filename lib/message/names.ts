/**
 * Names on the wire (spec: wire 1.4, 1.6): domain names, type strings, categories and streams. They equal
 * what Python Protean derives from the same words, so that both sides meet on the same streams.
 *
 * @module
 */

/** ASCII approximation of a name: accents go, what has no approximation is dropped. */
function transliterate(name: string): string {
  // deno-lint-ignore no-control-regex -- "not ASCII" is the rule
  return name.normalize("NFKD").replace(/[^\x00-\x7f]/g, "");
}

/**
 * `OrderPlaced` → `order_placed`, `HTTPThing` → `http_thing`, `OrderV2` → `order_v2`, `order-item` →
 * `order_item`.
 */
export function underscore(name: string): string {
  return name
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .replace(/([a-z\d])([A-Z])/g, "$1_$2")
    .replaceAll("-", "_")
    .toLowerCase();
}

/**
 * The domain's name as stream prefix: `My Domain` → `my_domain`. Camel case is not split (`MyDomain` →
 * `mydomain`), because Python lower-cases before it underscores.
 */
export function normalizedDomain(name: string): string {
  const dashed = transliterate(name).replace(/[^A-Za-z0-9_-]+/g, "-").replace(/-{2,}/g, "-").replace(
    /^-|-$/g,
    "",
  );
  return dashed.toLowerCase().replaceAll("-", "_");
}

/** The domain's name as prefix of type strings: `my_domain` → `MyDomain`, `HTTPApi` → `HttpApi`. */
export function camelDomain(name: string): string {
  return underscore(transliterate(name).replaceAll("-", " "))
    .replace(/_id$/, "")
    .replaceAll("_", " ")
    .replace(/[a-z]+/g, (word) => word.charAt(0).toUpperCase() + word.slice(1))
    // A letter behind an apostrophe begins no word: `Ann's Shop` is `AnnsShop`.
    .replace(/\b'[A-Z]/g, (letter) => letter.toLowerCase())
    .replace(/[^A-Za-z0-9]/g, "");
}

/** `typeString("my_domain", "OrderPlaced", 1)` is `MyDomain.OrderPlaced.v1`. */
export function typeString(domainName: string, name: string, version: number): string {
  return `${camelDomain(domainName)}.${name}.v${version}`;
}

/** The parts of a type string. */
export interface TypeParts {
  /** In camel case, as it stands in the type string. */
  readonly domain: string;
  readonly name: string;
  /** From 1. */
  readonly version: number;
}

const TYPE_STRING = /^([^.\s]+)\.([^.\s]+)\.v([1-9]\d*)$/;

/**
 * Takes `MyDomain.OrderPlaced.v1` apart; undefined for anything of another form (`Read`, `SNAPSHOT`, a
 * query).
 */
export function parseTypeString(type: string): TypeParts | undefined {
  const [, domain, name, version] = TYPE_STRING.exec(type) ?? [];
  if (domain === undefined || name === undefined) return undefined;
  return { domain, name, version: Number(version) };
}

/** Whether a type string is `wanted`, or of that name in any version. */
export function isTypeNamed(type: string, wanted: string): boolean {
  return type === wanted || parseTypeString(type)?.name === wanted;
}

/**
 * `aggregateCategory("my_domain", "OrderItem")` is `my_domain::order_item`, unless the aggregate names its
 * own.
 */
export function aggregateCategory(domainName: string, aggregate: string): string {
  return `${normalizedDomain(domainName)}::${underscore(aggregate)}`;
}

/** The text before the first `-`, as Message DB's `category()` has it; the whole name when there is none. */
export function categoryOf(stream: string): string {
  const dash = stream.indexOf("-");
  return dash < 0 ? stream : stream.slice(0, dash);
}

/** The stream of one instance: `my_domain::order-42`. Ids may contain `-`, categories may not. */
export function streamOf(category: string, id: string): string {
  return `${category}-${id}`;
}

/** Commands of a category: `my_domain::order:command`. */
export function commandCategory(category: string): string {
  return `${category}:command`;
}

/** What the letters of a queue failed of, counted (operations 6). */
export function failureGroups(deadLetters: string): string {
  return `${deadLetters}:groups`;
}

/** Whether the letters of a stream are counted: those of queues, and those that were discarded. */
export function isCounted(stream: string): boolean {
  return stream.endsWith(deadLetterStream("")) || stream.endsWith(discardedStream(deadLetterStream("")));
}

/** What people have noted of them. */
export function failureNotes(deadLetters: string): string {
  return `${deadLetters}:notes`;
}

/** Where letters of a queue lie that were discarded, until they are restored or too old. */
export function discardedStream(deadLetters: string): string {
  return `${deadLetters}:discarded`;
}

/** Where a reader of the event store keeps how far it has read a category (wire 1.6). */
export function positionStream(group: string, category: string): string {
  return `position-${group}-${category}`;
}

/** Where it keeps which messages have failed, and what has become of them (wire 4.6). */
export function failedStream(group: string, category: string): string {
  return `failed-${group}-${category}`;
}

/** Where it keeps how far it has read that stream, and what was open then (wire 4.6). */
export function checkpointStream(group: string, category: string): string {
  return `recovery-checkpoint-${group}-${category}`;
}

/** Dead letters of a stream, shared by its groups: `my_domain::order:dlq` (wire 2.8). */
export function deadLetterStream(stream: string): string {
  return `${stream}:dlq`;
}

/** What handlers of a group want again later, of one stream. */
export function postponements(stream: string, group: string): string {
  return `${stream}:postponed:${group}`;
}

/** Dead letters on their way back to the one group that failed (delivery 19). */
export function replayLane(stream: string, group: string): string {
  return `${stream}:replay:${group}`;
}
