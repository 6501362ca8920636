/**
 * What `check` knows of one workload of a Kubernetes manifest: the pod that runs the server, and how many of
 * them there may be.
 *
 * @module
 */

/** Something of the manifest, and where it stands. */
export interface Placed<T> {
  readonly value: T;
  /** Counted from 1. */
  readonly line: number | undefined;
}

/** How a probe asks. */
export type Asks =
  | { readonly by: "http"; readonly path: string; readonly port: number | string | undefined }
  | { readonly by: "exec"; readonly command: readonly string[] }
  | { readonly by: "tcp"; readonly port: number | string | undefined }
  | { readonly by: "grpc" };

export interface Workload {
  /** `Deployment 'shop'`. */
  readonly label: string;
  readonly file: string;
  readonly line: number | undefined;
  /** The most there may be at once, rollouts aside. */
  readonly replicas: number;
  /** `--workers` of the container; undefined: not said. */
  readonly workers: number | undefined;
  /** Kubernetes' own 30 where nothing is said. */
  readonly gracePeriodSeconds: Placed<number>;
  /** Undefined: there is no hook. `seconds` is undefined for one that does not say how long it takes. */
  readonly preStop:
    | Placed<{ readonly seconds: number | undefined; readonly exec: readonly string[] | undefined }>
    | undefined;
  readonly liveness: Placed<Asks> | undefined;
  readonly readiness: Placed<Asks> | undefined;
  readonly startup: Placed<Asks> | undefined;
  /** By name and number. */
  readonly ports: readonly { readonly name: string | undefined; readonly number: number }[];
  readonly readOnlyRoot: Placed<boolean | undefined>;
  /** Folders that are mounted and can be written to. */
  readonly writable: readonly string[];
  /** `PROTEAN_DATA_DIR` of the container; undefined: the image's own. */
  readonly dataDir: string | undefined;
}
