/**
 * The bundled domain `my_domain`: importing this module registers every element and exports the domain.
 *
 * @module
 */
import "./command_handlers.ts";
import "./event_handlers.ts";
import "./projectors.ts";
import "./subscribers.ts";

export { domain } from "./domain.ts";
export { Order } from "./aggregates.ts";
export { CancelOrder, PlaceOrder, RecordPayment, ShipOrder } from "./commands.ts";
export { OrderCancelled, OrderPaid, OrderPlaced, OrderShipped } from "./events.ts";
export { AuditEntry, BulkOrder, OrderSummary, PickingList } from "./projections.ts";
