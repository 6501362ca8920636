/** Rule: published events that go to nobody (wire 7.5, 8.5). @module */
import type { RuleOf } from "../rule.ts";

export const publishedNoExternalBroker: RuleOf<"start"> = {
  code: "PUBLISHED_NO_EXTERNAL_BROKER",
  level: "warning",
  category: "domain",
  stage: "start",
  fires: "events are `published`, and `[outbox] external_brokers` is empty.",
  rationale:
    "What is published is meant for other domains, and without an external broker it stays on this one's own.",
  remedy:
    "Name the other team's broker in [outbox] external_brokers, or leave 'published' out where they share this broker.",
  mend: 'external_brokers = ["partners"]',
  *find({ domain, messages, loaded: { config } }) {
    const published = messages.filter((message) => message.kind === "event" && message.published);
    if (published.length === 0 || config.outbox.external_brokers.length > 0) return;
    yield {
      element: domain,
      key: "outbox.external_brokers",
      message:
        `${published.map(({ name }) => name).join(", ")} ${
          published.length === 1 ? "is" : "are"
        } published, and ` +
        "'outbox.external_brokers' is empty: no other domain's broker gets them.",
    };
  },
};
