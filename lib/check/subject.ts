/**
 * What the rules of `check` look at.
 *
 * @module
 */
import type { AdapterKind, BaseAdapter, ServerFacts } from "../adapters/ports.ts";
import type { LoadedConfig } from "../config/loaded.ts";
import type { Elements } from "../domain/elements/elements.ts";
import type { DomainIdentity } from "../domain/elements/identity.ts";
import type { MessageDefinition } from "../domain/elements/message_definition.ts";
import type { Model } from "../domain/elements/model.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import type { SubscriptionSettings } from "../subscription/settings/resolve.ts";

/** A handler, whether it is at work or only declared. */
export type SubjectHandler = Pick<
  HandlerRunner,
  "name" | "kind" | "group" | "sharedGroup" | "categories" | "options" | "broker"
>;

/** One handler on one category, with what its settings come to. */
export interface SubjectSubscription {
  readonly runner: SubjectHandler;
  readonly category: string;
  readonly settings: SubscriptionSettings;
}

/** An adapter of the configuration, constructed and not opened unless the servers were asked for. */
export interface SubjectAdapter {
  readonly kind: AdapterKind;
  /** The table it is configured in: `databases.default`, `event_store`. */
  readonly section: string;
  readonly adapter: BaseAdapter;
  /** Whether somebody answers there who is not this process. */
  readonly isRemote: boolean;
  /** Whether it has been opened. */
  readonly isOpen: boolean;
}

/** How many processes the domain runs in. */
export interface Scale {
  /** In one pod or machine. */
  readonly workers: number;
  /** Pods or machines. */
  readonly replicas: number;
}

export interface Subject {
  /** The domain's name. */
  readonly domain: string;
  readonly loaded: LoadedConfig;
  readonly handlers: readonly SubjectHandler[];
  readonly subscriptions: readonly SubjectSubscription[];
  /** Events and commands of the domain itself. */
  readonly messages: readonly MessageDefinition[];
}

/** The same for `check`, which knows the declarations and how the server is to be deployed. */
export interface DomainSubject extends Subject {
  readonly identity: DomainIdentity;
  readonly elements: Elements;
  readonly model: Model;
  readonly adapters: readonly SubjectAdapter[];
  readonly scale: Scale;
  /** What the servers have told; undefined: nobody has asked them. */
  readonly servers?: readonly SeenServer[];
}

/** What a server that answered has told of itself. */
export interface SeenServer {
  readonly kind: AdapterKind;
  /** `brokers.default`. */
  readonly section: string;
  /** Undefined: it does not say. */
  readonly facts: ServerFacts | undefined;
}
