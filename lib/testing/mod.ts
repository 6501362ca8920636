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
 * @module
 */
export { TestDomain, testDomain, type TestOptions } from "./test_domain.ts";
export { type FailedDelivery, Outcome, type PublishedMessage } from "./outcome.ts";
export { FakeClock } from "./fake_clock.ts";
