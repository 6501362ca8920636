/**
 * Every event of the log: who tells it, at which level, with which properties, and what it means. A test
 * compares this list with every `log.<level>("name", { … })` of the code base, in both directions, so an event
 * that is new needs a line here; `deno task docs` makes `docs/reference/logs.md` of it. Nothing reads it at
 * run time.
 *
 * @module
 */

/**
 * Level as the log prints it, or several with a blank between them; names of the properties, with blanks
 * between them and `?` after one that may be missing; the meaning, in one sentence or two.
 */
export type LogEvent = readonly [levels: string, properties: string, meaning: string];

/** Logger → event → what it is. */
export const LOG_EVENTS: Readonly<Record<string, Readonly<Record<string, LogEvent>>>> = {
  "protean.cli": {
    "domain.starting": [
      "info",
      "domain config? version commit deno pid",
      "The first line of a server: which it is, and which configuration it has read.",
    ],
    "config.warning": ["warning", "code message", "A finding about the configuration that ends nothing."],
    "engine.reload_refused": ["warning", "reason", "`reload`, or SIGUSR2, came to a server without workers."],
    "worker.refused": ["debug", "error", "A worker ends: its supervisor tells why, for all of them."],
    "log.lines_dropped": [
      "warning",
      "lines bytes",
      "Whoever reads the log was too slow: so much of it is missing before this line.",
    ],
    "systemd.not_told": ["warning", "error", "systemd could not be told of the server's state."],
  },
  "protean.engine": {
    "engine.start_check_failed": [
      "error",
      "error",
      "What the server needs is refused or missing, found too late to end the start: the work waits for it.",
    ],
    "engine.table_missing": [
      "warning",
      "provider error",
      "A table that handlers may need does not exist; `db setup` makes it.",
    ],
    "config.python_only": ["info", "keys", "Keys of domain.toml that only Python reads."],
    "engine.subscription_started": ["info", "handler stream subscription_type", "A handler reads a stream."],
    "engine.outbox_processor_started": ["info", "processor", "What is committed is published."],
    "engine.dlq_maintenance_started": ["info", "name", "Dead letters are trimmed and watched."],
    "engine.started": [
      "info",
      "domain subscription_count broker_subscription_count outbox_enabled outbox_processors",
      "Every subscription and outbox processor is running.",
    ],
    "engine.groups_unknown": ["debug", "stream error", "The groups of a stream could not be looked at."],
    "engine.drain_requested": ["info", "pid", "`POST /drainz`: nothing more is read, and the process stays."],
    "engine.shutting_down": ["info", "signal?", "The drain begins."],
    "engine.handlers_drained": ["info", "duration_ms", "Step of the drain: no handler is running any more."],
    "engine.outbox_flushed": ["info", "duration_ms", "Step of the drain: what was committed is published."],
    "engine.telemetry_flushed": ["info", "duration_ms", "Step of the drain: the last figures are exported."],
    "engine.adapters_closed": ["info", "duration_ms", "Step of the drain: databases and brokers are closed."],
    "engine.health_listener_closed": ["info", "duration_ms", "Step of the drain: no probe is answered now."],
    "engine.drain_step_left": [
      "warning",
      "step",
      "A step of the drain took too long and was left as it was.",
    ],
    "engine.drain_step_failed": ["warning", "step error", "A step of the drain failed; the next ones go on."],
    "engine.drained": [
      "info",
      "duration_ms cut unacknowledged? unreleased?",
      "The drain is over: how many runs were cut, and how many messages others take over later than at once.",
    ],
    "engine.left_postponed": [
      "info",
      "handler category messages",
      "`--once` ended while messages wait for a later time.",
    ],
    "engine.stopped": ["info", "exit_code", "The last line of a server."],
    "engine.failed": ["critical", "error", "A part of the server has ended for good, so the server ends."],
    "engine.stray_error": [
      "error",
      "error stack",
      "An error that nobody awaited; the server ends with 1, for what it left half done is unknown.",
    ],
    "engine.stray_error_after_cut": [
      "warning",
      "error stack",
      "An error of a handler that the drain had given up.",
    ],
    "subscription.group_left": [
      "warning",
      "handler stream group lag pending replayed hint",
      "A handler has moved to the event store, and its former group keeps the stream from being trimmed.",
    ],
    "worker.rollups_not_kept": [
      "warning",
      "error",
      "The broker does not take what was done in a minute: the figures of it are short by this worker's.",
    ],
    "worker.not_announced": ["warning", "error", "The broker does not take this worker's heartbeat."],
  },
  "protean.supervisor": {
    "supervisor.worker_started": ["info", "worker pid", "A worker process was started."],
    "supervisor.worker_not_started": ["error", "worker error", "A worker process could not be started."],
    "supervisor.worker_ended": [
      "info",
      "worker pid exit_code signal?",
      "A worker has ended as it was told to.",
    ],
    "supervisor.worker_crashed": [
      "error",
      "worker pid exit_code signal? error?",
      "A worker has ended by itself.",
    ],
    "supervisor.worker_restarts": [
      "info",
      "worker wait_ms",
      "A crashed worker is started again after this wait.",
    ],
    "supervisor.too_many_crashes": [
      "critical",
      "worker",
      "Five crashes within a minute: the supervisor ends.",
    ],
    "supervisor.worker_killed": [
      "error",
      "pid after_seconds",
      "A worker had not ended long after its drain should have, and was killed.",
    ],
    "supervisor.output_dropped": [
      "warning",
      "count bytes",
      "Nobody read what the domain printed in the workers, and so much of it was dropped.",
    ],
    "supervisor.roll_began": ["info", "workers", "`reload`: workers are replaced one by one."],
    "supervisor.roll_ended": ["info", "", "Every worker was replaced."],
    "supervisor.roll_failed": [
      "error",
      "worker error",
      "A new worker did not become ready; those that are left stay as they are.",
    ],
    "supervisor.roll_refused": [
      "warning",
      "reason",
      "`reload` while one was under way, or during the drain.",
    ],
    "supervisor.drain_requested": ["info", "pid", "`POST /drainz`: the workers read nothing more."],
    "supervisor.shutting_down": ["info", "reason", "The workers are told to drain."],
    "supervisor.stopped": ["info", "exit_code", "Every worker has ended."],
    "worker.supervisor_gone": ["warning", "pid", "The supervisor has died, so this worker drains."],
  },
  "protean.observatory": {
    "observatory.failed": ["error", "error stack?", "A request could not be answered for a defect of ours."],
  },
  "protean.health": {
    "health.listening": ["info", "host port", "The probes are answered here."],
    "health.stopped": ["info", "", "The probes' port is closed."],
    "health.port_unavailable": [
      "error debug",
      "host? port? error retry_seconds?",
      "The probes' port is taken; it is tried again, at first with an error and then quietly.",
    ],
    "health.listener_lost": [
      "error",
      "retry_ms",
      "The probes' listener has ended by itself and is opened again.",
    ],
    "health.connection_refused": ["warning", "error", "A connection to the probes' port could not be taken."],
    "observatory.listening": ["info", "host port", "The observatory answers here."],
    "observatory.stopped": ["info", "", "The observatory's port is closed."],
    "observatory.port_unavailable": [
      "error debug",
      "host? port? error retry_seconds?",
      "The observatory has lost its port, which is tried again.",
    ],
    "observatory.listener_lost": [
      "error",
      "retry_ms",
      "The observatory's listener has ended by itself and is opened again.",
    ],
    "observatory.connection_refused": [
      "warning",
      "error",
      "A connection to the observatory could not be taken.",
    ],
    "health.no_thread": [
      "debug",
      "error",
      "The thread that answers while the event loop is blocked could not be started.",
    ],
    "check.failed": ["warning", "check error", "A check of domain.check fails; told once."],
    "check.recovered": ["info", "check", "It passes again."],
    "health.component_unavailable": [
      "warning",
      "kind name error",
      "A database, broker or cache does not answer.",
    ],
    "health.component_available": ["info", "kind name", "It answers again."],
    "health.component_warning": [
      "warning",
      "kind name warning",
      "It answers, and something will soon end that.",
    ],
    "health.component_warning_over": ["info", "kind name", "What the warning said holds no longer."],
  },
  "protean.telemetry": {
    "telemetry.export_failed": [
      "warning",
      "signal endpoint protocol error",
      "Metrics or traces could not be sent; told once until it succeeds.",
    ],
    "telemetry.exporting_again": ["info", "signal", "Metrics or traces arrive again."],
    "telemetry.failed": ["debug", "error", "A figure could not be taken."],
  },
  "protean.domain": {
    "domain.close_failed": ["error", "error", "An adapter did not close cleanly."],
    "handler.event_failed": [
      "warning debug",
      "handler error message_id? message_type?",
      'A handler that `event_processing = "sync"` has run failed; its error at debug.',
    ],
    "handler.version_conflict": [
      "debug",
      "handler attempt retry_in_ms",
      "Somebody else saved the same aggregate first; the handler runs once more ([server.version_retry]).",
    ],
    "handler.transient_failure": [
      "debug",
      "handler attempt retry_in_ms",
      "An error that usually passes; the handler runs once more ([server.transient_retry]).",
    ],
    "message.large": [
      "warning",
      "message_type bytes hint",
      "A payload of 128 KiB or more, told once for its type.",
    ],
    "observer.failed": ["warning", "error", "An observer of the work threw; told once."],
    "unit_of_work.change_not_added": [
      "warning",
      "aggregate id",
      "A handler changed an aggregate and never gave it to its repository: the change is lost.",
    ],
    "unit_of_work.statement_not_run": [
      "warning",
      "statement",
      "A handler wrote a `ctx.sql` query and never awaited it, so it has not run.",
    ],
  },
  "protean.access": {
    "access.handler_completed": [
      "debug warning",
      "kind message_id? message_type? stream? aggregate? aggregate_id? correlation_id? causation_id? trace_id? " +
      "span_id? handler duration_ms status uow_outcome duplicate? batch? events_raised? events_raised_count? " +
      "repo_operations?",
      "A handler has run on a message; at warning, with `status` slow: for longer than slow_handler_threshold_ms.",
    ],
    "access.handler_failed": [
      "debug warning",
      "kind message_id? message_type? stream? aggregate? aggregate_id? correlation_id? causation_id? trace_id? " +
      "span_id? handler duration_ms status uow_outcome duplicate? batch? events_raised? events_raised_count? " +
      "repo_operations? error_type? error_message?",
      "A handler has failed; at warning, without the error's text, where that took long.",
    ],
  },
  "protean.outbox": {
    "outbox.batch_completed": [
      "debug",
      "processor total successful failed",
      "So many rows have left the outbox, or have not.",
    ],
    "outbox.failed": [
      "warning",
      "processor message_id? stream? error?",
      "A row could not be published and is tried again ([outbox.retry]).",
    ],
    "outbox.abandoned": [
      "warning",
      "processor message_id? stream? error?",
      "A row has used up its attempts; `outbox requeue` publishes it after all.",
    ],
    "outbox.abandoned_removed": [
      "warning",
      "database rows retention_hours",
      "Rows that were never published are deleted, for their retention is over.",
    ],
    "outbox.publishing_paused": [
      "warning",
      "processor error",
      "The broker or the database is away; rows wait.",
    ],
    "outbox.publishing_again": ["info", "processor attempts", "Publishing goes on after so many attempts."],
    "outbox.stream_refused": [
      "warning",
      "processor stream error",
      "The broker refuses what goes to one stream.",
    ],
    "outbox.stream_taken": ["info", "processor stream", "The stream takes messages again."],
    "outbox.flush_failed": ["warning", "processor error", "The last pass of the drain could not publish."],
    "outbox.processor_failed": [
      "critical",
      "processor error",
      "A defect ended a processor; the server ends.",
    ],
    "outbox.reconciled": [
      "warning",
      "events",
      "Events of the event store had no outbox row, after a crash between the two, and have one now.",
    ],
    "outbox.reconcile_deferred": ["debug", "error", "That look could not be ended and is repeated."],
    "outbox.not_reconciled": [
      "warning",
      "message_type error",
      "An event without an outbox row could not be given one.",
    ],
    "outbox.release_failed": [
      "debug",
      "broker error",
      "Rows could not be given back; others take them later.",
    ],
    "outbox.row_not_recorded": [
      "error",
      "message_id error",
      "The database refuses to record what became of a row; it may be published again.",
    ],
    "outbox.still_processor_ended": [
      "warning",
      "broker sessions",
      "The session of a processor that stands still was ended, so that others can publish its rows.",
    ],
  },
  "protean.subscription": {
    "subscription.attempt_failed": [
      "debug",
      "handler stream entry message_id? trace_id? attempt error",
      "The stack of a handler's failure.",
    ],
    "subscription.batch_failed": ["debug", "handler messages error", "A batch failed and is halved."],
    "subscription.retry_scheduled": [
      "warning",
      "handler stream entry message_id? trace_id? attempt error retry_in_ms repeated?",
      "A handler failed, and its message is handled again after this wait; `repeated`: so often since the last line.",
    ],
    "subscription.retry_scheduled_more": [
      "warning",
      "subscription more",
      "So many further messages are handled again than the log has lines for.",
    ],
    "subscription.giving_up": [
      "debug",
      "handler stream entry message_id? trace_id? attempts error",
      "The stack of the failure that was the last one.",
    ],
    "subscription.dead_lettered": [
      "error",
      "handler stream entry message_id? trace_id? attempts error",
      "A message has used up its attempts and lies in `<stream>:dlq`.",
    ],
    "subscription.dead_lettered_more": [
      "error",
      "subscription more",
      "So many further messages were dead-lettered than the log has lines for.",
    ],
    "subscription.discarding": [
      "warning",
      "handler stream entry message_id? trace_id? attempts error",
      "A message has used up its attempts and is dropped (enable_dlq = false).",
    ],
    "subscription.discarding_more": ["error", "subscription more", "So many further messages were dropped."],
    "subscription.exhausted": [
      "error",
      "handler stream entry message_id? trace_id? error",
      "A message of the event store has used up its attempts; `subscriptions failed` lists it.",
    ],
    "subscription.set_aside": [
      "warning",
      "handler stream entry message_id? trace_id? error",
      "A message of the event store failed and is tried again later, beside the others.",
    ],
    "subscription.partition_halted": [
      "error",
      "handler stream entry message_id? trace_id? attempts error",
      "A key of `sequentialBy` stands still at a message that failed for good; `subscriptions partitions` lists it.",
    ],
    "subscription.partition_unblocked": ["info", "subscription stream", "The key goes on."],
    "subscription.partition_owned": [
      "debug",
      "subscription stream",
      "This process has become a key's owner.",
    ],
    "subscription.partition_lost": ["info", "subscription stream error", "A key is another process's now."],
    "subscription.partition_failed": [
      "error",
      "subscription stream error",
      "A defect in the work on one key.",
    ],
    "subscription.partition_deferred": [
      "debug",
      "subscription stream error",
      "A key is looked at again later.",
    ],
    "subscription.partitions_unread": [
      "warning",
      "subscription error",
      "The keys of a handler with `sequentialBy` could not be looked at; told once until it succeeds.",
    ],
    "subscription.postponed": ["debug", "handler entry reason? ms times", "A handler threw `RetryAfter`."],
    "subscription.declined": ["debug", "handler entry reason", "A handler threw `Discard`."],
    "subscription.wait_not_kept": [
      "debug",
      "subscription entry error",
      "The wait of `RetryAfter` was not kept.",
    ],
    "subscription.wait_not_forgotten": [
      "debug",
      "subscription entry error",
      "A wait that is over is still kept.",
    ],
    "subscription.dead_letter_hook_failed": [
      "error debug",
      "handler stream entry error",
      "`onDeadLetter` of a handler failed; the message is dead-lettered all the same. Its stack at debug.",
    ],
    "subscription.outcome_failed": [
      "error",
      "handler stream entry error",
      "The broker did not take what became of a message; it is tried again.",
    ],
    "subscription.broker_refused": [
      "warning",
      "handler stream entry error",
      "The broker refuses what became of a message, such as a right that is missing; it is tried again.",
    ],
    "subscription.broker_unavailable": [
      "debug",
      "handler stream entry error",
      "The broker is away meanwhile.",
    ],
    "subscription.breaker_opened": [
      "warning",
      "subscription failures_in_a_row tried_again_in_ms",
      "So many handler runs failed in a row that nothing is started for a while.",
    ],
    "subscription.breaker_half_open": ["info", "subscription", "One message is tried."],
    "subscription.breaker_closed": ["info", "subscription", "It succeeded, and the work goes on."],
    "subscription.backend_unavailable": [
      "warning",
      "subscription backend? reason retry_in_ms",
      "The backend is still away; it is tried again after this wait.",
    ],
    "subscription.paused": [
      "warning",
      "subscription backend? reason",
      "What the handlers need is away: messages wait, uncounted, and readiness is 503.",
    ],
    "subscription.resumed": [
      "info",
      "subscription backend? paused_ms tries",
      "It is back, and the work goes on.",
    ],
    "subscription.some_refused": [
      "warning",
      "subscription reason",
      "A backend refuses what some messages ask of it and not others; those wait, uncounted.",
    ],
    "subscription.none_refused": [
      "info",
      "subscription reason messages refused_ms",
      "Nothing is refused any more.",
    ],
    "subscription.read_failed": [
      "warning",
      "subscription? stream? group? error",
      "Reading failed; told once until it succeeds.",
    ],
    "subscription.reading_again": [
      "info",
      "subscription? stream? group? attempts",
      "Reading succeeds again.",
    ],
    "subscription.group_missing": [
      "warning",
      "stream group error",
      "A consumer group has gone, as after FLUSHALL; it is made again.",
    ],
    "subscription.group_recreated": ["info", "stream group", "The group is there again."],
    "subscription.entries_claimed": [
      "info",
      "stream group claimed trimmed",
      "Messages of a process that died were taken over; `trimmed` are those that the stream holds no longer.",
    ],
    "subscription.entries_released": ["info", "stream group released", "The drain gave messages back."],
    "subscription.release_failed": [
      "warning",
      "stream group unacknowledged unreleased error",
      "The drain could not give messages back; others take them over later.",
    ],
    "subscription.left_pending": [
      "warning",
      "subscription unacknowledged unreleased",
      "The drain left messages that others take over when they count as abandoned.",
    ],
    "subscription.ack_deferred": [
      "debug",
      "stream group error",
      "Acknowledgements travel with a later read.",
    ],
    "subscription.claim_deferred": [
      "debug",
      "subscription error",
      "A look for abandoned messages is repeated.",
    ],
    "subscription.refresh_deferred": [
      "debug",
      "subscription error",
      "Ownership is refreshed a little later.",
    ],
    "subscription.maintenance_deferred": [
      "debug",
      "subscription step error",
      "Trimming or the like is repeated.",
    ],
    "subscription.recovery_deferred": ["debug", "subscription error", "A recovery pass is repeated."],
    "subscription.replay_deferred": ["debug", "subscription error", "A look at the replay lane is repeated."],
    "subscription.not_clear": [
      "debug",
      "subscription error",
      "Whether everything is worked off is not known yet.",
    ],
    "subscription.stood_still": [
      "warning",
      "subscription duration_ms",
      "The process stood still so long that its messages may be another's; it asks before it goes on.",
    ],
    "subscription.ownership_lost": [
      "warning",
      "subscription reason messages",
      "The lock on a handler of the event store is gone; what was unfinished is another's.",
    ],
    "subscription.standing_by": [
      "info",
      "lock",
      "Another process is this handler's sole owner; this one waits.",
    ],
    "subscription.lock_deferred": ["debug", "lock error", "The lock is asked for again."],
    "subscription.without_lock": [
      "warning",
      "lock",
      "No database or broker offers locks: start one such process and no more.",
    ],
    "subscription.reads_from_beginning": [
      "info",
      "subscription position_stream",
      "The event store has kept no position for this handler.",
    ],
    "subscription.position_unreadable": [
      "error warning",
      "stream position records",
      "Records of the position cannot be read; the one before is used, at error none and all is read anew.",
    ],
    "subscription.position_beyond_end": [
      "error",
      "subscription position_stream position end",
      "The position is that of another event store, of before a restore; reading goes on at its end.",
    ],
    "subscription.checkpoint_beyond_end": [
      "warning",
      "stream watermark end",
      "The checkpoint of the failed messages is that of another event store.",
    ],
    "subscription.failed_message_gone": [
      "error",
      "handler stream entry message_id",
      "A message that failed is no longer in the event store.",
    ],
    "subscription.gap_abandoned": [
      "warning",
      "subscription from to waited_ms",
      "Positions of the event store stayed empty for gap_timeout_seconds and are passed over.",
    ],
    "subscription.failed": [
      "critical",
      "subscription error",
      "A defect ended a subscription; the server ends.",
    ],
  },
  "protean.dlq": {
    "dlq_maintenance.trimmed": [
      "info",
      "dlq_stream trimmed",
      "Dead letters were deleted, for they were too old.",
    ],
    "dlq_maintenance.threshold_exceeded": [
      "warning",
      "dlq_stream depth threshold",
      "More dead letters than alert_threshold.",
    ],
    "dlq_maintenance.resolved": ["info", "dlq_stream depth threshold", "As few as the threshold, or fewer."],
    "dlq_maintenance.alert_failed": [
      "error",
      "receiver dlq_stream error",
      "A callback or webhook did not take an alert.",
    ],
    "dlq_maintenance.callback_unloadable": ["warning", "error", "alert_callback cannot be loaded."],
    "dlq_maintenance.clock_differs": [
      "warning",
      "broker seconds hint",
      "This machine's clock differs from the broker's, by which dead letters are kept.",
    ],
    "dlq_maintenance.discarded_forgotten": [
      "info",
      "dlq_stream forgotten",
      "Discarded dead letters can be restored no longer.",
    ],
    "dlq_maintenance.failed": ["warning debug", "broker error", "A cycle failed; told once, then at debug."],
    "dlq_maintenance.recovered": ["info", "broker", "Cycles succeed again."],
    "operations.not_kept": [
      "warning",
      "kind error",
      "The broker does not keep the progress of an operation.",
    ],
  },
  "protean.operations": {
    "operations.unreachable": [
      "warning",
      "error",
      "The broker's operations could not be looked at; told once.",
    ],
    "operations.ended": ["info", "operation kind state done", "An operation has ended in this server."],
    "operations.failed": [
      "warning",
      "operation kind error",
      "An operation failed; another server may go on.",
    ],
  },
  "audit": {
    "audit.change": [
      "info",
      "who what domain from filter? reason? count? skipped? failures? outcome operation? group? why?",
      "Somebody has changed something; written whatever the level of the log is.",
    ],
    "audit.not_kept": ["warning debug", "error", "The broker has not kept the change for `audit list`."],
  },
  "protean.maintenance": {
    "maintenance.cleaned": ["info", "cleaner removed", "Rows beyond their retention were deleted."],
    "maintenance.deferred": ["debug", "cleaner error", "Cleaning failed and is repeated."],
    "maintenance.clock_stepped": [
      "warning",
      "database seconds hint",
      "The clock went on while nothing was written: what is kept for a time is kept that much longer.",
    ],
    "maintenance.clocks_differ": [
      "warning",
      "database server_ahead_seconds hint",
      "The database's clock differs from ours; nothing is deleted by age.",
    ],
    "maintenance.clocks_agree": ["info", "database server_ahead_seconds", "The clocks agree again."],
  },
  "protean.postgres": {
    "postgres.encoding": [
      "warning",
      "database encoding message",
      "The database does not hold every character that a message may have.",
    ],
    "database.connection_given_up": [
      "warning",
      "database backend? reason",
      "A connection fell silent in the middle of a statement and was closed.",
    ],
    "database.still_sessions_ended": [
      "warning",
      "database sessions",
      "Sessions that stood still and held up those at work were ended.",
    ],
    "database.look_failed": [
      "debug",
      "database error",
      "The server could not be asked about silent connections.",
    ],
    "database.backend_not_ended": [
      "debug",
      "database error",
      "A session that is left could not be ended yet.",
    ],
    "database.old_transactions": [
      "warning",
      "database transactions more hint",
      "Old open transactions keep the database from removing what is published.",
    ],
    "outbox.watcher_failed": ["error", "error", "Who was to be woken by a commit threw."],
    "outbox.hint_lost": [
      "debug",
      "error",
      "Other processes were not woken by a commit and find it by polling.",
    ],
  },
  "protean.redis": {
    "redis.unavailable": ["warning", "adapter error", "Redis does not answer; told once."],
    "redis.available": ["info", "adapter afterMs", "Redis answers again."],
    "redis.clock_stepped": [
      "warning",
      "seconds hint",
      "The clock of Redis has jumped; nobody is taken for gone before all could show themselves.",
    ],
    "redis.presence_refused": [
      "warning",
      "error",
      "A right is missing to see who is alive: a dead process's messages wait for claim_idle_ms.",
    ],
  },
  "protean.alerts": {
    "alert.firing": [
      "warning",
      "rule subject value threshold text",
      "A rule of `[alerts]` fires for this subject.",
    ],
    "alert.resolved": ["info", "rule subject value threshold text", "It fires no more."],
    "alert.more": ["warning", "alerts", "So many more fired or were over in this look than were logged."],
    "alert.not_told": [
      "error debug",
      "channel alerts error",
      "The callback or the webhook of `[alerts]` failed and is told again later; told once, then at debug.",
    ],
    "alerts.callback_unloadable": ["warning", "error", "callback in `[alerts]` cannot be loaded."],
    "alerts.too_many": [
      "warning",
      "kept",
      "No more alerts are kept than so many: further ones are not told.",
    ],
    "alerts.failed": ["warning debug", "error", "The rules could not be judged; told once, then at debug."],
    "alerts.recovered": ["info", "", "The rules are judged again."],
  },
  "protean.sqlite": {
    "sqlite.log_grows": ["warning", "path bytes reason", "The write-ahead log cannot be emptied and grows."],
    "sqlite.log_emptied": ["info", "path bytes", "It could be emptied again."],
  },
};
