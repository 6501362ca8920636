/**
 * What an engine and the thread that answers its probes say to each other.
 *
 * @module
 */
import type { PagePlace } from "./page.ts";
import type { HealthReport } from "./report.ts";
import type { HealthServerOptions } from "./server.ts";

export type ThreadSettings =
  & Required<Pick<HealthServerOptions, "host" | "port" | "portAutoIncrement" | "required">>
  & { readonly blockedAfterSeconds: number; readonly page?: PagePlace };

export type ToThread =
  | { readonly kind: "start"; readonly settings: ThreadSettings }
  | { readonly kind: "report"; readonly report: HealthReport }
  /** The page that was asked for; undefined: it could not be made. */
  | { readonly kind: "page"; readonly id: number; readonly text: string | undefined }
  | { readonly kind: "stop" };

export type FromThread =
  /** Its modules are loaded. */
  | { readonly kind: "loaded" }
  /** It listens, or will try again. */
  | { readonly kind: "started" }
  /** It cannot listen, and was told that it must. */
  | { readonly kind: "refused"; readonly message: string; readonly code: string }
  | { readonly kind: "bound"; readonly address: Deno.NetAddr }
  /** Somebody asks for the page. */
  | { readonly kind: "page"; readonly id: number }
  /** `POST /drainz`. */
  | { readonly kind: "drain" }
  | {
    readonly kind: "log";
    readonly level: "debug" | "info" | "warning" | "error";
    readonly event: string;
    readonly properties: Record<string, unknown>;
  }
  | { readonly kind: "stopped" };
