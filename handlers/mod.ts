/**
 * The bundled domain `my_domain`: importing this module registers every element and exports the domain.
 *
 * @module
 */
import "./command_handlers.ts";
import "./event_handlers.ts";
import "./projectors.ts";

export { domain } from "./domain.ts";
export { Order } from "./aggregates.ts";
export { CancelOrder, PlaceOrder, ShipOrder } from "./commands.ts";
export { OrderCancelled, OrderPlaced, OrderShipped } from "./events.ts";
export { AuditEntry, BulkOrder, OrderSummary, PickingList } from "./projections.ts";
