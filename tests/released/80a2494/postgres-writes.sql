-- What 80a2494 writes into the database, text by text as its statements are, with values for the parameters.
insert into protean_outbox (created_at, message_id, stream_name, type, data, metadata_, target_broker, priority, shard, correlation_id, causation_id)
  values (now(), 'old', 'my_domain::order-o-9', 'MyDomain.OrderPlaced.v1', '{}', '{}', 'default', 0, 1, null, null)
  on conflict (message_id, target_broker) do nothing;
insert into protean_processed (handler, type, message_id, processed_at) values ('old', 'old', 'old', now()) on conflict do nothing;
insert into protean_my_domain_order as old (id, version, state, created_at, updated_at) values ('old', 0, '{}', now(), now())
  on conflict (id) do nothing;
