/**
 * Versions of an adapter's tables: where they stand, and what would bring them to where this server wants
 * them.
 *
 * @module
 */

/** One change of a database, made whole or not at all. */
export interface SchemaChange {
  /** What it is a version of: `outbox`, `marks`, or the name of an aggregate's or a view's table. */
  readonly component: string;
  /** 0: its tables are not there. */
  readonly from: number;
  /** The same as `from` where something is restored or recorded. */
  readonly to: number;
  /** A server that does not know it works on. */
  readonly additive: boolean;
  /** What it does, to follow the words "in order to": `add the column checksum`. */
  readonly title: string;
  /** SQL, in order; the last one records the version. */
  readonly statements: readonly string[];
}

/**
 * `missing`: there is nothing. `behind`: `pending` brings it to this server's version. `newer`: a newer
 * server has changed it, and this one can work with it. `incompatible`: a newer server has changed it, and
 * this one cannot.
 */
export type SchemaState = "current" | "missing" | "behind" | "newer" | "incompatible";

/** Where one component stands. */
export interface ComponentSchema {
  readonly component: string;
  readonly tables: readonly string[];
  /** 0: its tables are not there. */
  readonly version: number;
  /** The version that this server makes. */
  readonly latest: number;
  /** The lowest version that a server must know to work with it; 0 where nothing is there. */
  readonly compatible: number;
  readonly state: SchemaState;
  /** In order. */
  readonly pending: readonly SchemaChange[];
}

/**
 * A table of ours: aggregate and view rows have one shape, `(id text primary key, version, state json,
 * created_at, updated_at)`.
 */
export interface TableSpec {
  readonly kind: "aggregate" | "view";
  /** Full name, such as `protean_my_domain_order` (delivery 17). */
  readonly name: string;
}
