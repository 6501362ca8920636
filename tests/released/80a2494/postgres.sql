CREATE TABLE public.protean_my_domain_order (
    id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    state jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.protean_my_domain_view_audit_entry (
    id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    state jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.protean_my_domain_view_bulk_order (
    id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    state jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.protean_my_domain_view_order_summary (
    id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    state jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.protean_my_domain_view_picking_list (
    id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    state jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.protean_outbox (
    seq bigint NOT NULL,
    id text GENERATED ALWAYS AS ((seq)::text) STORED,
    message_id text NOT NULL,
    stream_name text NOT NULL,
    type text NOT NULL,
    data text NOT NULL,
    metadata_ jsonb NOT NULL,
    target_broker text NOT NULL,
    shard smallint NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    retry_count integer DEFAULT 0 NOT NULL,
    max_retries integer DEFAULT 3 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    published_at timestamp with time zone,
    abandoned_at timestamp with time zone,
    next_retry_at timestamp with time zone,
    last_processed_at timestamp with time zone,
    locked_by text,
    locked_until timestamp with time zone,
    last_error jsonb,
    correlation_id text,
    causation_id text,
    partition_key text,
    sequence_number integer,
    _version integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05');
ALTER TABLE public.protean_outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.protean_outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.protean_processed (
    handler text NOT NULL,
    type text NOT NULL,
    message_id text NOT NULL,
    processed_at timestamp with time zone NOT NULL
);
INSERT INTO public.protean_my_domain_order VALUES ('o-1', 0, '{"id": "o-1", "amount": 10, "status": "placed"}', '2026-11-28 07:05:05.495+00', '2026-11-28 07:05:05.495+00');
INSERT INTO public.protean_my_domain_order VALUES ('o-2', 0, '{"id": "o-2", "amount": 2000, "status": "placed", "customer": "Zoë ''the'' \"one\""}', '2026-11-28 07:05:05.527+00', '2026-11-28 07:05:05.527+00');
INSERT INTO public.protean_my_domain_order VALUES ('o-3', 0, '{"id": "o-3", "amount": 30, "status": "placed"}', '2026-11-28 07:05:05.545+00', '2026-11-28 07:05:05.545+00');
INSERT INTO public.protean_my_domain_order VALUES ('o-4', 0, '{"id": "o-4", "amount": 40, "status": "placed"}', '2026-11-28 07:05:05.562+00', '2026-11-28 07:05:05.562+00');
INSERT INTO public.protean_my_domain_view_audit_entry VALUES ('my_domain::order-o-1-0.1', 0, '{"id": "my_domain::order-o-1-0.1", "type": "MyDomain.OrderPlaced.v1", "stream": "my_domain::order-o-1"}', '2026-11-28 07:05:05.518+00', '2026-11-28 07:05:05.518+00');
INSERT INTO public.protean_my_domain_view_audit_entry VALUES ('my_domain::order-o-2-0.1', 0, '{"id": "my_domain::order-o-2-0.1", "type": "MyDomain.OrderPlaced.v1", "stream": "my_domain::order-o-2"}', '2026-11-28 07:05:05.543+00', '2026-11-28 07:05:05.543+00');
INSERT INTO public.protean_my_domain_view_audit_entry VALUES ('my_domain::order-o-3-0.1', 0, '{"id": "my_domain::order-o-3-0.1", "type": "MyDomain.OrderPlaced.v1", "stream": "my_domain::order-o-3"}', '2026-11-28 07:05:05.558+00', '2026-11-28 07:05:05.558+00');
INSERT INTO public.protean_my_domain_view_audit_entry VALUES ('my_domain::order-o-4-0.1', 0, '{"id": "my_domain::order-o-4-0.1", "type": "MyDomain.OrderPlaced.v1", "stream": "my_domain::order-o-4"}', '2026-11-28 07:05:05.578+00', '2026-11-28 07:05:05.578+00');
INSERT INTO public.protean_my_domain_view_bulk_order VALUES ('o-2', 0, '{"id": "o-2", "amount": 2000}', '2026-11-28 07:05:05.543+00', '2026-11-28 07:05:05.543+00');
INSERT INTO public.protean_my_domain_view_order_summary VALUES ('o-1', 0, '{"id": "o-1", "amount": 10, "events": 1, "status": "placed"}', '2026-11-28 07:05:05.521+00', '2026-11-28 07:05:05.521+00');
INSERT INTO public.protean_my_domain_view_order_summary VALUES ('o-2', 0, '{"id": "o-2", "amount": 2000, "events": 1, "status": "placed"}', '2026-11-28 07:05:05.546+00', '2026-11-28 07:05:05.546+00');
INSERT INTO public.protean_my_domain_view_order_summary VALUES ('o-3', 0, '{"id": "o-3", "amount": 30, "events": 1, "status": "placed"}', '2026-11-28 07:05:05.56+00', '2026-11-28 07:05:05.56+00');
INSERT INTO public.protean_my_domain_view_order_summary VALUES ('o-4', 0, '{"id": "o-4", "amount": 40, "events": 1, "status": "placed"}', '2026-11-28 07:05:05.579+00', '2026-11-28 07:05:05.579+00');
INSERT INTO public.protean_my_domain_view_picking_list VALUES ('o-1', 0, '{"id": "o-1", "amount": 10}', '2026-11-28 07:05:05.52+00', '2026-11-28 07:05:05.52+00');
INSERT INTO public.protean_my_domain_view_picking_list VALUES ('o-2', 0, '{"id": "o-2", "amount": 2000}', '2026-11-28 07:05:05.545+00', '2026-11-28 07:05:05.545+00');
INSERT INTO public.protean_my_domain_view_picking_list VALUES ('o-3', 0, '{"id": "o-3", "amount": 30}', '2026-11-28 07:05:05.563+00', '2026-11-28 07:05:05.563+00');
INSERT INTO public.protean_my_domain_view_picking_list VALUES ('o-4', 0, '{"id": "o-4", "amount": 40}', '2026-11-28 07:05:05.582+00', '2026-11-28 07:05:05.582+00');
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (2, DEFAULT, '030884f2-2403-4018-8c4c-2007f1e302e1', 'my_domain::order:command-o-2', 'MyDomain.PlaceOrder.v1', '{"amount":2000,"customer":"Zo\u00eb ''the'' \"one\"","orderId":"o-2"}', '{"domain": {"fqn": "my_domain.PlaceOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "004c2ba5ac92436198b934bc490326ff", "stream_category": null, "expected_version": null}, "headers": {"id": "030884f2-2403-4018-8c4c-2007f1e302e1", "time": "2026-11-28T07:05:03.797000+00:00", "type": "MyDomain.PlaceOrder.v1", "stream": "my_domain::order:command-o-2", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "6289574c1c7660b64445cc888449700862d234242160289b757b2a61b584f76b", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 2, 'published', 0, 0, 3, '2026-11-28 07:05:03.798+00', '2026-11-28 07:05:05.485+00', NULL, NULL, '2026-11-28 07:05:05.485+00', NULL, NULL, NULL, '004c2ba5ac92436198b934bc490326ff', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (6, DEFAULT, '07412371-7f80-463f-b1d3-8c61e2713d42', 'my_domain::order:command-too-little', 'MyDomain.PlaceOrder.v1', '{"amount":-1,"orderId":"too-little"}', '{"domain": {"fqn": "my_domain.PlaceOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "059be2fa9e6b4319b4a70c906d102a63", "stream_category": null, "expected_version": null}, "headers": {"id": "07412371-7f80-463f-b1d3-8c61e2713d42", "time": "2026-11-28T07:05:05.076000+00:00", "type": "MyDomain.PlaceOrder.v1", "stream": "my_domain::order:command-too-little", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "c408a7f3a2feb597303af180ca3bf118e49c6daed6d19de24f5b4943a8b031ce", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 12, 'published', 0, 0, 3, '2026-11-28 07:05:05.077+00', '2026-11-28 07:05:05.485+00', NULL, NULL, '2026-11-28 07:05:05.485+00', NULL, NULL, NULL, '059be2fa9e6b4319b4a70c906d102a63', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (3, DEFAULT, 'f0882bde-61e8-42f5-81a1-020b8a5410be', 'my_domain::order:command-o-3', 'MyDomain.PlaceOrder.v1', '{"amount":30,"orderId":"o-3"}', '{"domain": {"fqn": "my_domain.PlaceOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "4722b0bd8b264ba39bf9948ff0c0942e", "stream_category": null, "expected_version": null}, "headers": {"id": "f0882bde-61e8-42f5-81a1-020b8a5410be", "time": "2026-11-28T07:05:04.076000+00:00", "type": "MyDomain.PlaceOrder.v1", "stream": "my_domain::order:command-o-3", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "56d0c937df239272c31742a09c33cf1955ff1939a4c10ae7e522ab36f128facd", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 15, 'published', 0, 0, 3, '2026-11-28 07:05:04.077+00', '2026-11-28 07:05:05.485+00', NULL, NULL, '2026-11-28 07:05:05.485+00', NULL, NULL, NULL, '4722b0bd8b264ba39bf9948ff0c0942e', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (4, DEFAULT, 'ff9001d7-42c1-4485-ae91-3baa53c4db5c', 'my_domain::order:command-o-4', 'MyDomain.PlaceOrder.v1', '{"amount":40,"orderId":"o-4"}', '{"domain": {"fqn": "my_domain.PlaceOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "ea11a2e2a95d4c66a8e60a7f52d2f82f", "stream_category": null, "expected_version": null}, "headers": {"id": "ff9001d7-42c1-4485-ae91-3baa53c4db5c", "time": "2026-11-28T07:05:04.439000+00:00", "type": "MyDomain.PlaceOrder.v1", "stream": "my_domain::order:command-o-4", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "d2e252d2af4c60b0aa80f04f2e713dca0a15c350a5eee0e15d2ae43d1bad5638", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 7, 'published', 0, 0, 3, '2026-11-28 07:05:04.44+00', '2026-11-28 07:05:05.485+00', NULL, NULL, '2026-11-28 07:05:05.485+00', NULL, NULL, NULL, 'ea11a2e2a95d4c66a8e60a7f52d2f82f', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (5, DEFAULT, '75fd3d1a-d17b-4932-9667-6cf99b2c3f2d', 'my_domain::order:command-too-much', 'MyDomain.PlaceOrder.v1', '{"amount":20000,"orderId":"too-much"}', '{"domain": {"fqn": "my_domain.PlaceOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "f3bde213d6f2484e9014323463b589a2", "stream_category": null, "expected_version": null}, "headers": {"id": "75fd3d1a-d17b-4932-9667-6cf99b2c3f2d", "time": "2026-11-28T07:05:04.718000+00:00", "type": "MyDomain.PlaceOrder.v1", "stream": "my_domain::order:command-too-much", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "f28abe937c1dbef6fb9a7c199a3ee6890c5a1d1b59afb2c91471c081944b8b05", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 7, 'published', 0, 0, 3, '2026-11-28 07:05:04.719+00', '2026-11-28 07:05:05.485+00', NULL, NULL, '2026-11-28 07:05:05.485+00', NULL, NULL, NULL, 'f3bde213d6f2484e9014323463b589a2', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (1, DEFAULT, '7aeb87b3-5cb9-480c-8dea-1599b4ef654e', 'my_domain::order:command-o-1', 'MyDomain.PlaceOrder.v1', '{"amount":10,"orderId":"o-1"}', '{"domain": {"fqn": "my_domain.PlaceOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "899894aeb977443a8ec59f60caea0358", "stream_category": null, "expected_version": null}, "headers": {"id": "7aeb87b3-5cb9-480c-8dea-1599b4ef654e", "time": "2026-11-28T07:05:03.550000+00:00", "type": "MyDomain.PlaceOrder.v1", "stream": "my_domain::order:command-o-1", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "7b32eef654e4bced2aee71f402501c28ffe9fbd9389fcb7a42fd651041d9e8b9", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 6, 'published', 0, 0, 3, '2026-11-28 07:05:03.551+00', '2026-11-28 07:05:05.485+00', NULL, NULL, '2026-11-28 07:05:05.485+00', NULL, NULL, NULL, '899894aeb977443a8ec59f60caea0358', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (7, DEFAULT, 'my_domain::order-o-1-0.1', 'my_domain::order-o-1', 'MyDomain.OrderPlaced.v1', '{"amount":10,"orderId":"o-1"}', '{"domain": {"fqn": "my_domain.OrderPlaced", "kind": "EVENT", "version": 1, "priority": 0, "sequence_id": "0.1", "asynchronous": true, "causation_id": "7aeb87b3-5cb9-480c-8dea-1599b4ef654e", "origin_stream": null, "correlation_id": "899894aeb977443a8ec59f60caea0358", "stream_category": "my_domain::order", "expected_version": null}, "headers": {"id": "my_domain::order-o-1-0.1", "time": "2026-11-28T07:05:05.493000+00:00", "type": "MyDomain.OrderPlaced.v1", "stream": "my_domain::order-o-1", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "7b32eef654e4bced2aee71f402501c28ffe9fbd9389fcb7a42fd651041d9e8b9", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 7, 'published', 0, 0, 3, '2026-11-28 07:05:05.495+00', '2026-11-28 07:05:05.512+00', NULL, NULL, '2026-11-28 07:05:05.512+00', NULL, NULL, NULL, '899894aeb977443a8ec59f60caea0358', '7aeb87b3-5cb9-480c-8dea-1599b4ef654e', NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (8, DEFAULT, 'my_domain::order-o-2-0.1', 'my_domain::order-o-2', 'MyDomain.OrderPlaced.v1', '{"amount":2000,"customer":"Zo\u00eb ''the'' \"one\"","orderId":"o-2"}', '{"domain": {"fqn": "my_domain.OrderPlaced", "kind": "EVENT", "version": 1, "priority": 0, "sequence_id": "0.1", "asynchronous": true, "causation_id": "030884f2-2403-4018-8c4c-2007f1e302e1", "origin_stream": null, "correlation_id": "004c2ba5ac92436198b934bc490326ff", "stream_category": "my_domain::order", "expected_version": null}, "headers": {"id": "my_domain::order-o-2-0.1", "time": "2026-11-28T07:05:05.527000+00:00", "type": "MyDomain.OrderPlaced.v1", "stream": "my_domain::order-o-2", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "6289574c1c7660b64445cc888449700862d234242160289b757b2a61b584f76b", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 4, 'published', 0, 0, 3, '2026-11-28 07:05:05.527+00', '2026-11-28 07:05:05.54+00', NULL, NULL, '2026-11-28 07:05:05.54+00', NULL, NULL, NULL, '004c2ba5ac92436198b934bc490326ff', '030884f2-2403-4018-8c4c-2007f1e302e1', NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (9, DEFAULT, 'my_domain::order-o-3-0.1', 'my_domain::order-o-3', 'MyDomain.OrderPlaced.v1', '{"amount":30,"orderId":"o-3"}', '{"domain": {"fqn": "my_domain.OrderPlaced", "kind": "EVENT", "version": 1, "priority": 0, "sequence_id": "0.1", "asynchronous": true, "causation_id": "f0882bde-61e8-42f5-81a1-020b8a5410be", "origin_stream": null, "correlation_id": "4722b0bd8b264ba39bf9948ff0c0942e", "stream_category": "my_domain::order", "expected_version": null}, "headers": {"id": "my_domain::order-o-3-0.1", "time": "2026-11-28T07:05:05.545000+00:00", "type": "MyDomain.OrderPlaced.v1", "stream": "my_domain::order-o-3", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "56d0c937df239272c31742a09c33cf1955ff1939a4c10ae7e522ab36f128facd", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 4, 'published', 0, 0, 3, '2026-11-28 07:05:05.545+00', '2026-11-28 07:05:05.556+00', NULL, NULL, '2026-11-28 07:05:05.556+00', NULL, NULL, NULL, '4722b0bd8b264ba39bf9948ff0c0942e', 'f0882bde-61e8-42f5-81a1-020b8a5410be', NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (10, DEFAULT, 'my_domain::order-o-4-0.1', 'my_domain::order-o-4', 'MyDomain.OrderPlaced.v1', '{"amount":40,"orderId":"o-4"}', '{"domain": {"fqn": "my_domain.OrderPlaced", "kind": "EVENT", "version": 1, "priority": 0, "sequence_id": "0.1", "asynchronous": true, "causation_id": "ff9001d7-42c1-4485-ae91-3baa53c4db5c", "origin_stream": null, "correlation_id": "ea11a2e2a95d4c66a8e60a7f52d2f82f", "stream_category": "my_domain::order", "expected_version": null}, "headers": {"id": "my_domain::order-o-4-0.1", "time": "2026-11-28T07:05:05.562000+00:00", "type": "MyDomain.OrderPlaced.v1", "stream": "my_domain::order-o-4", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "d2e252d2af4c60b0aa80f04f2e713dca0a15c350a5eee0e15d2ae43d1bad5638", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 9, 'published', 0, 0, 3, '2026-11-28 07:05:05.562+00', '2026-11-28 07:05:05.572+00', NULL, NULL, '2026-11-28 07:05:05.572+00', NULL, NULL, NULL, 'ea11a2e2a95d4c66a8e60a7f52d2f82f', 'ff9001d7-42c1-4485-ae91-3baa53c4db5c', NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (12, DEFAULT, '1994b8df-bf75-4fd9-adbf-a86951ab1f84', 'my_domain::order:command-o-2', 'MyDomain.CancelOrder.v1', '{"orderId":"o-2","reason":"no room"}', '{"domain": {"fqn": "my_domain.CancelOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "bc4cdbf3b218456987229b506fdfb487", "stream_category": null, "expected_version": null}, "headers": {"id": "1994b8df-bf75-4fd9-adbf-a86951ab1f84", "time": "2026-11-28T07:05:09.679000+00:00", "type": "MyDomain.CancelOrder.v1", "stream": "my_domain::order:command-o-2", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "9ed47d2ba7d77a137b2d14617218f39a12a4e0a4f1f653d688b14b63830b5b96", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 2, 'published', 0, 0, 3, '2026-11-28 07:05:09.681+00', '2026-11-28 07:05:09.998+00', NULL, NULL, '2026-11-28 07:05:09.998+00', NULL, NULL, NULL, 'bc4cdbf3b218456987229b506fdfb487', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (11, DEFAULT, '39609e61-f178-43ca-a881-cdc85dca5030', 'my_domain::order:command-o-1', 'MyDomain.ShipOrder.v1', '{"orderId":"o-1"}', '{"domain": {"fqn": "my_domain.ShipOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "2f73de30f536443497c61823cb7276ed", "stream_category": null, "expected_version": null}, "headers": {"id": "39609e61-f178-43ca-a881-cdc85dca5030", "time": "2026-11-28T07:05:09.379000+00:00", "type": "MyDomain.ShipOrder.v1", "stream": "my_domain::order:command-o-1", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "80ea8a979b50c50b35a32bbb085f8524a79f780c52d4d5cbe560831a413769cb", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 6, 'published', 0, 0, 3, '2026-11-28 07:05:09.38+00', '2026-11-28 07:05:09.998+00', NULL, NULL, '2026-11-28 07:05:09.998+00', NULL, NULL, NULL, '2f73de30f536443497c61823cb7276ed', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (14, DEFAULT, 'f32f363b-b7eb-4940-ab7c-74f4af4db73e', 'my_domain::order:command-o-5', 'MyDomain.PlaceOrder.v1', '{"amount":50,"orderId":"o-5"}', '{"domain": {"fqn": "my_domain.PlaceOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "ed621f0a580d4b16ba972d3b1cd11232", "stream_category": null, "expected_version": null}, "headers": {"id": "f32f363b-b7eb-4940-ab7c-74f4af4db73e", "time": "2026-11-28T07:05:10.758000+00:00", "type": "MyDomain.PlaceOrder.v1", "stream": "my_domain::order:command-o-5", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "d1a4a321e94faf7241879819243342bbaf68d5d7f2028912a6af3960b22e6a77", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 6, 'pending', 0, 0, 3, '2026-11-28 07:05:10.759+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'ed621f0a580d4b16ba972d3b1cd11232', NULL, NULL, NULL, 0);
INSERT INTO public.protean_outbox OVERRIDING SYSTEM VALUE VALUES (13, DEFAULT, '064f3fd2-e8df-4a50-9768-27fb2f29d72e', 'my_domain::order:command-o-3', 'MyDomain.ShipOrder.v1', '{"orderId":"o-3"}', '{"domain": {"fqn": "my_domain.ShipOrder", "kind": "COMMAND", "version": 1, "priority": 0, "sequence_id": null, "asynchronous": true, "causation_id": null, "origin_stream": null, "correlation_id": "737a20f6f08f4e65b8c8cdbb5d03194b", "stream_category": null, "expected_version": null}, "headers": {"id": "064f3fd2-e8df-4a50-9768-27fb2f29d72e", "time": "2026-11-28T07:05:10.395000+00:00", "type": "MyDomain.ShipOrder.v1", "stream": "my_domain::order:command-o-3", "deadline": null, "traceparent": null, "idempotency_key": null}, "envelope": {"checksum": "be12fba6dea24ce69f71e3be877dca566a9f93f3c215ccd860a6ee299c9174ca", "specversion": "1.0"}, "extensions": {}, "event_store": null}', 'default', 15, 'processing', 0, 0, 3, '2026-11-28 07:05:10.397+00', NULL, NULL, NULL, '2026-11-28 07:05:11.205+00', 'gone/52334046-9b61-41d3-960f-4af6f6f75623', NULL, NULL, '737a20f6f08f4e65b8c8cdbb5d03194b', NULL, NULL, NULL, 0);
INSERT INTO public.protean_processed VALUES ('my_domain.OrderCommandHandler', 'MyDomain.PlaceOrder.v1', '7aeb87b3-5cb9-480c-8dea-1599b4ef654e', '2026-11-28 07:05:05.49+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderEventHandler', 'MyDomain.OrderPlaced.v1', 'my_domain::order-o-1-0.1', '2026-11-28 07:05:05.517+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderSummaryProjector', 'MyDomain.OrderPlaced.v1', 'my_domain::order-o-1-0.1', '2026-11-28 07:05:05.517+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderCommandHandler', 'MyDomain.PlaceOrder.v1', '030884f2-2403-4018-8c4c-2007f1e302e1', '2026-11-28 07:05:05.511+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderCommandHandler', 'MyDomain.PlaceOrder.v1', 'f0882bde-61e8-42f5-81a1-020b8a5410be', '2026-11-28 07:05:05.538+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderEventHandler', 'MyDomain.OrderPlaced.v1', 'my_domain::order-o-2-0.1', '2026-11-28 07:05:05.543+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderSummaryProjector', 'MyDomain.OrderPlaced.v1', 'my_domain::order-o-2-0.1', '2026-11-28 07:05:05.543+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderCommandHandler', 'MyDomain.PlaceOrder.v1', 'ff9001d7-42c1-4485-ae91-3baa53c4db5c', '2026-11-28 07:05:05.552+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderSummaryProjector', 'MyDomain.OrderPlaced.v1', 'my_domain::order-o-3-0.1', '2026-11-28 07:05:05.558+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderEventHandler', 'MyDomain.OrderPlaced.v1', 'my_domain::order-o-3-0.1', '2026-11-28 07:05:05.558+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderSummaryProjector', 'MyDomain.OrderPlaced.v1', 'my_domain::order-o-4-0.1', '2026-11-28 07:05:05.578+00');
INSERT INTO public.protean_processed VALUES ('my_domain.OrderEventHandler', 'MyDomain.OrderPlaced.v1', 'my_domain::order-o-4-0.1', '2026-11-28 07:05:05.578+00');
SELECT pg_catalog.setval('public.protean_outbox_seq_seq', 14, true);
ALTER TABLE ONLY public.protean_my_domain_order
    ADD CONSTRAINT protean_my_domain_order_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.protean_my_domain_view_audit_entry
    ADD CONSTRAINT protean_my_domain_view_audit_entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.protean_my_domain_view_bulk_order
    ADD CONSTRAINT protean_my_domain_view_bulk_order_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.protean_my_domain_view_order_summary
    ADD CONSTRAINT protean_my_domain_view_order_summary_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.protean_my_domain_view_picking_list
    ADD CONSTRAINT protean_my_domain_view_picking_list_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.protean_outbox
    ADD CONSTRAINT protean_outbox_pkey PRIMARY KEY (message_id, target_broker);
ALTER TABLE ONLY public.protean_processed
    ADD CONSTRAINT protean_processed_pkey PRIMARY KEY (handler, type, message_id);
CREATE INDEX protean_outbox_abandoned ON public.protean_outbox USING btree (abandoned_at) WHERE (abandoned_at IS NOT NULL);
CREATE INDEX protean_outbox_poll ON public.protean_outbox USING btree (target_broker, shard, seq) WHERE ((published_at IS NULL) AND (abandoned_at IS NULL));
CREATE INDEX protean_outbox_published ON public.protean_outbox USING brin (published_at);
CREATE INDEX protean_outbox_retry ON public.protean_outbox USING btree (target_broker, stream_name, seq) WHERE (next_retry_at IS NOT NULL);
CREATE INDEX protean_processed_age ON public.protean_processed USING brin (processed_at);
