/**
 * What an adapter must have. TypeScript tells who forgets a method; a module from disk is JavaScript, and
 * would start well and fail at the first message that needs what is missing.
 *
 * @module
 */
import type { AdapterKind, BaseBroker, BaseCache, BaseEventStore, BaseProvider } from "../adapters/ports.ts";

type Members<B> = readonly (keyof B & string)[];

const EVERY = ["ping", "open", "close"] as const;

const METHODS: {
  readonly provider: Members<BaseProvider>;
  readonly broker: Members<BaseBroker>;
  readonly cache: Members<BaseCache>;
  readonly event_store: Members<BaseEventStore>;
} = {
  provider: [...EVERY, "setup", "verify", "drop", "truncate", "session", "cleanMarks"],
  broker: [...EVERY, "publish", "length"],
  cache: [...EVERY, "get", "set", "delete", "ttl", "keys"],
  event_store: [...EVERY, "append", "read", "last"],
};

const OBJECTS: Readonly<Record<AdapterKind, readonly string[]>> = {
  provider: ["capabilities", "outbox"],
  broker: ["capabilities"],
  cache: [],
  event_store: [],
};

/** What `adapter` lacks of all that the server relies on: `get()`, `capabilities`. */
export function missingMembers(kind: AdapterKind, adapter: object): readonly string[] {
  const has = (member: string, type: string) => {
    const value: unknown = Reflect.get(adapter, member);
    return typeof value === type && value !== null;
  };
  return [
    ...OBJECTS[kind].filter((member) => !has(member, "object")),
    ...METHODS[kind].filter((member) => !has(member, "function")).map((member) => `${member}()`),
  ];
}
