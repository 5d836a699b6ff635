"""Every statement of the protocol that a client depends on has a test named after it, of HTTP or of WebSockets."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent

STATEMENTS = {
    "1: the path matches with any query string": "the_path_matches_with_any_query_string",
    "1: answers are application/json": "every_answer_is_application_json",
    "2.2: the authentication answer": "the_authentication_answer_has_no_task_uuid_and_a_connection_session_uuid",
    "2.2: the error for a bad key": "the_error_for_a_bad_key_is_the_one_that_clients_know",
    "2.2: an answer well within 15 s": "authentication_is_answered_in_time",
    "2.2: no abnormal close after a bad key": "after_a_bad_key_the_connection_stays_and_is_then_closed_with_1000",
    "3.2: data and errors are arrays": "data_and_errors_are_arrays",
    "3.2: no empty errors": "there_is_never_an_empty_errors_or_data",
    "3.2: taskUUID verbatim and taskType as asked": "task_uuid_and_task_type_are_repeated_verbatim",
    "3.2: data or errors, never both": "a_message_of_one_outcome_has_data_or_errors_never_both",
    "3.2: keys that mark an item as finished": (
        "what_marks_an_item_as_finished_is_kept_out_of_acknowledgements_and_progress"
    ),
    "4.2: flags that are false": "settings_that_are_false_in_so_many_words_are_taken",
    "5: upload, then removal by UUID": "an_upload_of_a_data_uri_gives_a_uuid_that_a_removal_takes",
    "7.1: imageUUID and imageURL of an upload": "an_upload_has_both_image_uuid_and_image_url",
    "7.3: the original's taskType": "a_poll_is_answered_with_the_task_type_of_the_original",
    "7.3: a failed task stands in errors": "a_failed_task_is_reported_in_errors",
    "7.3: results of all tasks can be polled": "results_of_synchronous_tasks_can_be_polled_too",
    "7.4: request and response": "details_hold_request_and_response",
    "7.6: a ping before authentication": "a_ping_is_answered_before_authentication",
    "8.2: acknowledgement, validation failures now": "validation_failures_are_answered_at_once",
    "8.2: asynchronous delivery as solid as the other": "asynchronous_delivery_is_acknowledged_and_polled",
    "9.1: no error without a taskUUID": "every_error_of_a_task_has_its_task_uuid",
    "9.2: a permanent failure wears no 5xx": (
        "a_failure_that_stays_never_wears_a_status_that_clients_repeat"
    ),
    "9.3: UUIDs that may repeat": "polls_details_and_pings_may_repeat_a_uuid",
    "10.2: pongs while tasks run": "pongs_come_while_tasks_are_busy",
    "10.4: 1012 with calls in flight": "with_calls_in_flight_the_server_closes_with_1012_and_else_with_1000",
}  # fmt: skip


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_has_its_test(statement: str) -> None:
    section = statement.partition(":")[0].replace(".", "_")
    files = TESTS.glob("*/test_c_statements.py")
    names = {
        node.name
        for file in files
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert f"test_c_{section}_{STATEMENTS[statement]}" in names
