/**
 * What may have killed its process, or has failed before: it runs with no other of its kind beside it, and its
 * outcome is kept before the next one starts (delivery 23).
 *
 * @module
 */
import { streamIn } from "../message/envelope.ts";
import type { Delivery } from "./delivery.ts";
import type { Inbox } from "./inbox.ts";

/** Makes younger messages of its stream wait. It is not decoded before its start is recorded. */
export function admitSuspect(inbox: Inbox): (delivery: Delivery) => void {
  return (delivery) => {
    delivery.suspect = true;
    delivery.key = streamIn(delivery.text) || delivery.id;
    inbox.enter(delivery);
  };
}
