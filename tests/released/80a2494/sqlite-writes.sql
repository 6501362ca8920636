-- What 80a2494 writes into the database, text by text as its statements are, with values for the parameters.
INSERT INTO protean_outbox (message_id, stream_name, type, shard, target_broker, priority, created_at,
  correlation_id, causation_id, data, metadata_) VALUES ('old', 'my_domain::order-o-9', 'MyDomain.OrderPlaced.v1', 1, 'default', 0, '2026-11-28T07:00:00.000Z', NULL, NULL, '{}', '{}')
  ON CONFLICT (message_id, target_broker) DO NOTHING;
INSERT OR REPLACE INTO protean_outbox_lease VALUES ('other', 1, 'old', 1, '2026-11-28T07:00:00.000Z', 1);
INSERT INTO protean_processed (handler, type, message_id, processed_at) VALUES ('old', 'old', 'old', '2026-11-28T07:00:00.000Z') ON CONFLICT DO NOTHING;
INSERT INTO protean_my_domain_order VALUES ('old', 0, '{}', '2026-11-28T07:00:00.000Z', '2026-11-28T07:00:00.000Z') ON CONFLICT (id) DO NOTHING;
INSERT INTO messages (position, time, stream_name, category, type, id, data, metadata) VALUES (0, '2026-11-28T07:00:00.000Z', 'old-1', 'old', 'old', 'old', '{}', '{}');
