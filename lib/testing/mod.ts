/**
 * Tests of a domain without servers and without waiting: `@protean/server/testing`.
 *
 * ```ts
 * await using shop = await testDomain(domain);
 * await shop.given(OrderPlaced, { orderId: "1", amount: 5 });
 * const outcome = await shop.when(ShipOrder, { orderId: "1" });
 * assertEquals(outcome.published(OrderShipped), [{ orderId: "1" }]);
 * ```
 *
 * Everything is in memory and nothing is retried: a delivery that fails is listed, with its error. Time
 * stands still until the test moves it (`shop.clock.advance(ms)`).
 *
 * What comes of failures (retries, `RetryAfter`, dead letters, `onDeadLetter`, the circuit breaker), and what
 * a subscription does beyond one delivery (lanes, partitions, the event store) is driven through a server in
 * the test's own process, on the same clock:
 *
 * ```ts
 * await using server = await shop.serve();
 * await server.send(OrderPlaced, { orderId: "1", amount: 5 });
 * await server.advance(3_600_000); // an hour of retries, in no time
 * assertEquals(server.subscription("Shipping").counters.deadLettered, 1);
 * assertEquals((await server.deadLetters("Shipping")).map(({ letter }) => letter.errorMessage), ["no"]);
 * ```
 *
 * @module
 */
export { TestDomain, testDomain, type TestOptions } from "./test_domain.ts";
export { TestServer } from "./test_server.ts";
export type { QueuedLetter } from "../dlq/queues.ts";
export { type FailedDelivery, Outcome, type PublishedMessage } from "./outcome.ts";
export { FakeClock } from "./fake_clock.ts";
