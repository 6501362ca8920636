/**
 * A domain as it is declared, for whoever judges it without starting it (`check`). Not part of the public
 * API.
 *
 * @module
 */
import type { AdapterRegistry } from "../adapters/registry.ts";
import { IncorrectUsageError } from "../errors.ts";
import type { Elements } from "./elements/elements.ts";
import type { DomainIdentity } from "./elements/identity.ts";

/** What a team has declared. */
export interface Declared {
  readonly identity: DomainIdentity;
  readonly elements: Elements;
  /** With the adapters that were registered in code. */
  readonly registry: AdapterRegistry;
}

const declared = new WeakMap<object, Declared>();

/** Notes what `domain` consists of. */
export function setDeclared(domain: object, parts: Declared): void {
  declared.set(domain, parts);
}

/** What `domain` consists of, whether it runs or not. Throws `IncorrectUsageError` for what is no domain. */
export function declaredOf(domain: object): Declared {
  const parts = declared.get(domain);
  if (parts) return parts;
  throw new IncorrectUsageError("This is no Domain of @protean/server.");
}
