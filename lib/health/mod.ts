/**
 * Health probes for programs of your own: `@protean/server/health`.
 *
 * @module
 */
export { createHealthRouter, type HealthRouter, type HealthRouterOptions } from "./router.ts";
