-- What 80a2494 writes into the streams' file, text by text as its statements are, with values for the parameters.
INSERT INTO protean_stream (name) VALUES ('old');
INSERT INTO protean_stream_entry (stream, ms, n, data) VALUES ((SELECT id FROM protean_stream WHERE name = 'old'), 1, 0, '{}');
INSERT INTO protean_stream_group (stream, name, passed)
  SELECT id, 'old', added - length FROM protean_stream WHERE name = 'old';
INSERT INTO protean_stream_consumer (grp, name, pid, started_at, seen_at)
  VALUES ((SELECT id FROM protean_stream_group WHERE name = 'old'), 'old', 1, '2026-11-28T07:00:00.000Z', 1) ON CONFLICT (grp, name)
  DO UPDATE SET pid = excluded.pid, started_at = excluded.started_at, seen_at = excluded.seen_at;
INSERT INTO protean_stream_pending
  SELECT (SELECT id FROM protean_stream_group WHERE name = 'old'), ms, n, (SELECT id FROM protean_stream_consumer WHERE name = 'old'), 1, 1 FROM protean_stream_entry
  WHERE stream = (SELECT id FROM protean_stream WHERE name = 'old') ORDER BY ms, n;
INSERT OR REPLACE INTO protean_cache VALUES ('old', '1', NULL);
