"""Repositories that lose money, one mistake each: the example in plain psycopg, edited."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Broken:
    """A mistake, the test of the suite that has to find it, and what its message has to say."""

    name: str
    edits: tuple[tuple[str, str], ...]
    test: str
    says: str


def b(name: str, test: str, says: str, *edits: str) -> Broken:
    return Broken(name, tuple(zip(edits[::2], edits[1::2], strict=True)), f"test_{test}", says)


NO_LOCK = ("FOR NO KEY UPDATE\n", "")
CHECKED = "    if connection.execute(LOCK, as_read).fetchone() is None:\n        return False\n"
SETTLED = "    if change.booking_status is not None:\n"
WROTE = "    if wrote.rowcount != 1:\n        return False\n"
SEEN = "    seen = change.read.ledger.version\n"
ANY_VERSION = (' AND version = %s"\nINDEX', ' AND %s > 0"\nINDEX')
NOTED = "        lines = enumerate(change.history)\n"
INSERTED = "ON CONFLICT DO NOTHING"
OVERWRITES = "ON CONFLICT (booking_id) DO UPDATE SET document = excluded.document, version = excluded.version"
UNIQUE_INTENT, UNIQUE_PAYABLE = "UNIQUE INDEX payment_index_intent", "UNIQUE INDEX payment_index_payable"
MOVED = "except (UniqueViolation, SerializationFailure, DeadlockDetected):\n            return False"
WRITTEN = "                return _written(connection, change)\n"
READ_FIRST = (
    f"{SEEN}    stored = connection.execute('SELECT version FROM payment_ledgers WHERE booking_id = %s', (read.id,))\n"
    "    row = stored.fetchone()\n    if (row[0] if row else 0) != seen:\n        return False\n"
    "    __import__('time').sleep(0.02)\n"  # a network, over which others come in between
)
NO_KEY = (", PRIMARY KEY (booking_id, version, line)", "")  # of the history, which else finds half of these too
JUDGED_EARLIER = (*NO_LOCK, SEEN, READ_FIRST, *ANY_VERSION, INSERTED, OVERWRITES, *NO_KEY)
GOT = "        rows = self._rows(GET, (booking_id,))\n"
HELD = "AND hold_until <= %(before)s"
CLOSING = " AND NOT EXISTS\n        (SELECT 1 FROM payment_index WHERE booking_id = id AND state = 'closing')"
HEAD = "        rows = sorted("
PAGED = 'WHERE booking_id COLLATE "C" > %(after)s ORDER BY booking_id COLLATE "C"'
FOUND_CACHED = "        return self.__dict__.setdefault(booking_id, [HistoryLine"

TABLE = [
    # ---- get, find, history ----
    b("invents a booking", "get_of_an_unknown_booking_is_none", "None for an id that no row",
      "        if not rows:\n            return None\n",
      "        if not rows:\n            return Snapshot(Booking(booking_id, '?', Money(1, 'usd')))\n"),
    b("inner join", "get_before_the_first_save_is_the_teams_row_and_an_empty_ledger", "outer join", "LEFT JOIN", "JOIN"),
    b("naive times", "get_before_the_first_save_is_the_teams_row_and_an_empty_ledger", "aware and in UTC",
      "held.replace(tzinfo=UTC)", "held"),
    b("times of another zone", "get_before_the_first_save_is_the_teams_row_and_an_empty_ledger", "aware and in UTC",
      "hold_until AT TIME ZONE 'UTC', version", "hold_until, version", "held.replace(tzinfo=UTC)", "held"),
    b("statuses as texts", "get_before_the_first_save_is_the_teams_row_and_an_empty_ledger", "booking.status: 'pending' instead",
      "BookingStatus(status)", "status"),
    b("half a ledger", "get_is_what_was_saved", "dumps and loads all of it", "codec.dump(ledger)",
      "codec.dump(ledger).replace('\"announced\":2', '\"announced\":0')"),
    b("reads from a cache", "get_sees_what_another_connection_saved", "cache nothing", GOT,
      "        rows = self.__dict__.setdefault(booking_id, []) or self._rows(GET, (booking_id,))\n"
      "        self.__dict__[booking_id] = rows\n"),
    b("a copy of the price", "get_is_the_row_as_the_team_has_it_now", "keeps no copy",
      GOT, GOT + "        if rows:\n            rows[0] = (*rows[0][:1], 'cust_1', *rows[0][2:])\n"),
    b("finds by pattern", "find_knows_every_intent_that_was_saved_and_no_other", "compared exactly",
      "WHERE intent_id = %s", "WHERE intent_id LIKE %s"),
    b("finds open ones only", "find_knows_every_intent_that_was_saved_and_no_other", "closed payments too",
      "WHERE intent_id = %s", "WHERE state <> 'closed' AND intent_id = %s"),
    b("keeps the old index row", "find_forgets_an_intent_that_its_payment_no_longer_has", "replaces the index row",
      "intent_id = excluded.intent_id, ", ""),
    b("history by the clock", "history_is_in_the_order_of_the_saves", "never by `at`", "ORDER BY version, line", "ORDER BY at_us"),
    b("history of shuffled lines", "history_is_in_the_order_of_the_saves", "its place there",
      "ORDER BY version, line", "ORDER BY version, line::text"),
    b("history loses a column", "history_gives_back_every_field", "event_id: None", "h.decision, h.event_id,", "h.decision, None,"),
    b("strips texts", "history_gives_back_every_field", "round, strip", "h.decision, h.event", "h.decision.strip(), h.event"),
    b("cuts texts off", "history_gives_back_every_field", "no column may cut", "h.decision, h.event", "h.decision[:255], h.event"),
    b("hands out its own list", "what_a_caller_does_to_an_answer_changes_nothing", "a new list or a tuple",
      "        return [HistoryLine", FOUND_CACHED, "(HISTORY, (booking_id,))]", "(HISTORY, (booking_id,))])"),
    # ---- save ----
    b("forgets the hold", "a_save_writes_the_new_status_and_nothing_else_of_the_teams_row", "no other column",
      "SET status = %s WHERE", "SET status = %s, hold_until = NULL WHERE"),
    b("always settles", "a_change_without_a_status_leaves_the_teams_row_alone", "booking_status is None", SETTLED, "    if True:\n",
      "(change.booking_status.value, read.id)", "((change.booking_status or BookingStatus.PENDING).value, read.id)"),
    b("forgets a WHERE", "a_save_leaves_other_bookings_alone", "each WHERE", "SET status = %s WHERE id = %s",
      "SET status = %s WHERE id >= %s"),
    b("books for a deleted row", "a_first_save_needs_the_teams_row", "owner, price and status", CHECKED, ""),
    b("lost update", "a_version_that_is_not_the_stored_one_is_refused", "WHERE version =", *ANY_VERSION),
    b("insert that overwrites", "a_first_save_is_refused_once_there_is_a_ledger", "never INSERT OR REPLACE", INSERTED, OVERWRITES, *NO_KEY),
    b("upsert for an update", "a_later_save_is_refused_while_there_is_no_ledger", "WHERE version =",
      "wrote = connection.execute(NEXT, (*values, seen)) if seen else connection.execute(FIRST, values)",
      "wrote = connection.execute(NEXT, (*values, seen)) if seen else connection.execute(FIRST, values)\n"
      "    if not wrote.rowcount:\n        wrote = connection.execute(FIRST, values)"),
    *[b(f"half-match: {what}", "a_half_match_writes_nothing", "whatever else", old, new) for what, old, new in (
        ("owner", "customer = %s", "customer <> %s || 'x'"), ("amount", "AND amount_minor = %s", "AND 0 <= %s"),
        ("currency", "AND currency = %s", "AND '' < %s"), ("status", "AND status = %s\nFOR", "AND '' < %s\nFOR"))],
    b("half-match written", "a_half_match_writes_nothing", "roll it back whole", CHECKED, "", SETTLED, CHECKED + SETTLED),
    b("half-match by the past", "what_the_team_changes_after_the_read_refuses_the_save", "still has the owner",
      "AND amount_minor = %s", "AND 0 <= %s"),
    b("compares a time", "what_the_team_changes_and_changes_back_does_not_refuse_the_save", "no version or time",
      "AND status = %s\nFOR", "AND status = %s AND xmin = pg_snapshot_xmin(pg_current_snapshot())::xid\nFOR"),
    b("compares the hold", "a_hold_that_the_team_moves_does_not_refuse_the_save", "does not compare hold_until",
      "AND status = %s\nFOR", "AND status = %s AND hold_until IS NOT DISTINCT FROM %s\nFOR",
      "read.status.value)", "read.status.value, read.hold_until)"),
    b("two payable intents", "a_second_payable_payment_is_refused", "partial unique index", UNIQUE_PAYABLE, "INDEX payment_index_payable"),
    b("swallowed conflict", "a_second_payable_payment_is_refused", "it returned True", MOVED, MOVED.replace("False", "True")),
    b("conflict that is raised", "a_second_payable_payment_is_refused", "save() raised UniqueViolation", "except (UniqueViolation, ", "except ("),
    b("closing is closed", "a_payment_that_is_being_closed_still_counts_as_payable", "payable or closing",
      "state IN ('payable', 'closing')", "state IN ('payable')"),
    b("opens before it closes", "one_change_may_close_a_payment_and_open_the_next", "sort them",
      "row.state is not IndexState.CLOSED", "row.state is IndexState.CLOSED"),
    b("one payment for ever", "any_number_of_closed_payments_may_stand_beside_the_payable_one", "'payable' and 'closing' only",
      " WHERE state IN ('payable', 'closing');", ";"),
    b("non-unique intent", "an_intent_of_another_booking_is_refused", "unique index on intent_id", UNIQUE_INTENT, "INDEX payment_index_intent"),
    b("intent unique by booking", "an_intent_of_another_booking_is_refused", "unique index on intent_id", "(intent_id);", "(booking_id, intent_id);"),
    b("intent unique among bookings", "one_intent_on_two_payments_of_a_booking_is_refused", "unique index on intent_id",
      UNIQUE_INTENT, "INDEX payment_index_intent"),
    b("no intent is an empty one", "payments_without_an_intent_do_not_collide", "stores NULL", "r.intent_id, r.state", "r.intent_id or '', r.state"),
    b("attempts by their id alone", "the_same_attempt_id_may_stand_in_two_bookings", "its booking and its attempt",
      "PRIMARY KEY (booking_id, attempt_id)", "PRIMARY KEY (booking_id, attempt_id), UNIQUE (attempt_id)"),
    b("due for ever", "what_is_due_is_replaced_with_each_save", "NULL for None", "due_at_us = %s", "due_at_us = coalesce(%s, due_at_us)"),
    b("says nothing", "get_is_what_was_saved", "True or False and nothing else", "read.id))\n    return True", "read.id))\n    return None"),
    # ---- due ----
    b("due in whole seconds", "due_is_what_is_due_at_or_before", "to the microsecond", "else codec.to_us(change.due_at)",
      "else codec.to_us(change.due_at) // 1_000_000 * 1_000_000"),
    b("due only before", "due_is_what_is_due_at_or_before", "at or before", "due_at_us <= %(before_us)s", "due_at_us < %(before_us)s"),
    b("before without its zone", "before_may_have_any_zone", "change `before` to UTC", "codec.to_us(before)",
      "codec.to_us(before.replace(tzinfo=UTC))"),
    *[b(f"wanted still: {what}", "a_payable_payment_that_its_booking_no_longer_wants_is_due", "another amount or currency", old, new)
      for what, old, new in (("status", "b.status <> 'pending' OR ", ""), ("amount", "b.amount_minor <> p.amount_minor OR ", ""),
                             ("currency", " OR b.currency <> p.currency", ""))],
    b("closes what is closed", "a_payment_that_is_closing_or_closed_is_not_due_for_its_booking", "not those whose payment is",
      "p.state = 'payable' AND", "p.state <> 'open' AND"),
    b("holds for ever", "a_pending_booking_whose_hold_is_over_is_due", "hold_until is at or before", HELD, "AND hold_until < '1900-01-01'"),
    b("holds of settled bookings", "a_pending_booking_whose_hold_is_over_is_due", "also has pending bookings", "WHERE status = 'pending' AND hold", "WHERE hold"),
    b("cancels twice", "a_hold_that_is_over_is_not_due_while_its_payment_is_being_closed", "unless a payment of theirs is closing", CLOSING, ""),
    b("due unsorted", "due_is_listed_once_in_ascending_order", "code points", PAGED, PAGED.partition(" ORDER")[0] + " ORDER BY md5(booking_id)"),
    b("due by the alphabet", "due_is_listed_once_in_ascending_order", "code points", PAGED,
      PAGED.partition(" ORDER")[0] + " ORDER BY lower(booking_id), booking_id"),
    b("due twice", "due_is_listed_once_in_ascending_order", "UNION, not UNION ALL", "    UNION\n", "    UNION ALL\n"),
    b("the first page again", "due_pages_through_everything_whatever_stays_due", "hide what comes behind", " > %(after)s ORDER", " > '' || left(%(after)s, 0) ORDER"),
    b("starves those behind", "a_booking_that_keeps_failing_starves_no_other", "hide what is behind",
      " > %(after)s ORDER BY booking_id", " > '' || left(%(after)s, 0) ORDER BY booking_id"),
    b("no page of none", "the_edges_of_a_page", "due(limit=0) is empty", "max(limit, 0)", "max(limit, 1)"),
    b("and after", "the_edges_of_a_page", "greater than `after`", " > %(after)s", " >= %(after)s"),
    # ---- what prune and erase_customer need ----
    b("the latest by the clock", "newest_is_the_last_line_of_each_ledger", "the highest version", "version DESC, line DESC LIMIT", "at_us DESC LIMIT"),
    b("only those with lines", "newest_is_the_last_line_of_each_ledger", "None without lines",
      "FROM payment_ledgers l WHERE", "FROM payment_ledgers l WHERE booking_id IN (SELECT booking_id FROM payment_history) AND"),
    b("a customer by the beginning", "owned_by_is_a_customers_bookings_in_the_order_of_their_ids", "exactly this owner",
      "customer = %(owner)s", "customer LIKE %(owner)s || '%%'"),
    b("a customer's first page", "owned_by_is_a_customers_bookings_in_the_order_of_their_ids", "pages by the id",
      'AND id COLLATE "C" > %(after)s', "AND %(after)s <> 'x'"),
    b("forgets what stays", "forget_deletes_lines_before_a_time_or_all", "is before `before`", "at_us < %", "at_us <= %"),
    b("forgets everybody", "forget_deletes_lines_before_a_time_or_all", "of this booking", "WHERE booking_id = %(id)s AND (at", "WHERE (at"),
    b("forgets what moved on", "forget_deletes_nothing_of_a_ledger_that_moved_on", "unless the ledger's version", " AND version = %(version)s)", " AND %(version)s IS NOT NULL)"),
    # ---- values ----
    b("floats for money", "bookings_at_their_limits_come_back_exactly", "a float is not exact",
      "Money(amount, currency), BookingStatus", "Money(int(amount / 100 * 100), currency), BookingStatus"),
    b("amounts of 32 bits", "bookings_at_their_limits_come_back_exactly", "price.amount_minor",
      "Money(amount, currency), BookingStatus", "Money(amount % 2**31, currency), BookingStatus"),
    b("a float for due", "a_payable_payment_of_any_price_is_not_due", "compares amounts exactly",
      "b.amount_minor <> p.amount_minor", "b.amount_minor <> p.amount_minor::real"),
    b("short ids", "ids_at_their_limits_come_back_exactly", "255 characters", "r.intent_id, r.state", "r.intent_id and r.intent_id[:64], r.state"),
    b("times in milliseconds", "times_at_their_limits_come_back_exactly", "six digits", "codec.to_us(h.at), h.fact",
      "codec.to_us(h.at) // 1000 * 1000, h.fact"),
    b("a document of 64 KB", "a_large_ledger_comes_back_exactly", "", "codec.dump(ledger), due", "codec.dump(ledger)[:65535], due"),
    b("a hundred lines", "a_long_story_comes_back_exactly", "every line of a change", NOTED, NOTED.replace("change.history", "change.history[:100]")),
    # ---- crashes and races ----
    b("no transaction", "a_process_that_ends_between_any_two_steps_of_a_save_leaves_all_or_nothing", "one transaction",
      NOTED, "        connection.commit()\n" + NOTED),
    b("settles later", "a_process_that_ends_between_any_two_steps_of_a_save_leaves_all_or_nothing", "one transaction",
      SETTLED, "    connection.commit()\n" + SETTLED),
    b("commits whatever happens", "a_save_that_is_broken_off_at_any_step_is_whole_or_nothing", "never commit in a `finally`",
      WRITTEN, "                try:\n    " + WRITTEN + "                finally:\n                    connection.commit()\n"),
    b("judged earlier", "of_two_saves_of_one_version_one_wins_whenever_the_other_comes", "loses an update", *JUDGED_EARLIER),
    b("the row unlocked", "what_the_team_changes_during_a_save_is_never_overwritten", "FOR NO KEY UPDATE", *NO_LOCK),
    b("read at two moments", "get_reads_the_row_and_the_ledger_at_one_moment", "in one statement",
      "        key, owner,", "        rows[0] = (*rows[0][:6], *(self._rows(GET, (booking_id,)))[0][6:])\n        key, owner,"),
    *[b(f"a race: {name}", test, says, *JUDGED_EARLIER, *more) for name, test, says, *more in (
        ("two writers", "of_two_writers_on_one_version_exactly_one_wins", "loses an update"),
        ("eight clicks", "of_many_who_open_a_payment_exactly_one_does", "", UNIQUE_PAYABLE, "INDEX payment_index_payable"),
        ("eight creates", "eight_creates_at_once_make_one_payment_intent", "", UNIQUE_PAYABLE, "INDEX payment_index_payable"),
        ("thirty-two copies", "thirty_two_copies_of_one_event_have_one_effect", "loses an update", "sleep(0.02)", "sleep(0.2)"),
        ("webhook and confirm", "the_webhook_and_the_confirm_call_at_once_confirm_once", "", "sleep(0.02)", "sleep(0.2)"))],
    b("a stolen intent", "of_two_bookings_that_claim_one_intent_exactly_one_has_it", "unique index", UNIQUE_INTENT, "INDEX payment_index_intent"),
    b("one lock for all", "writers_of_different_bookings_all_win", "others are waited for",
      CHECKED, CHECKED + "    if not connection.execute('SELECT pg_try_advisory_xact_lock(1)').fetchone()[0]:\n        return False\n"),
    b("does not wait", "of_two_writers_on_one_version_exactly_one_wins", "no error", "FOR NO KEY UPDATE\n", "FOR NO KEY UPDATE NOWAIT\n"),
]  # fmt: skip
