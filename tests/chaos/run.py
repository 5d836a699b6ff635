"""One scenario: jobs come in, faults happen, everything comes to rest, the verdict."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Final

from cutgate import Client, Job
from cutgate.errors import CutgateError
from cutgate.gateway.accounts.credentials import KeyPair
from cutgate.jobs.ids import TaskUid, parse_task_uid
from cutgate.protocol.connection import Retries
from tests.chaos.callers import hold
from tests.chaos.corrections import STROKE_PX, STROKE_RADIUS_PX, Corrected, with_right_result
from tests.chaos.pictures import Picture, picture
from tests.chaos.scenarios import Scenario
from tests.chaos.service import PRICE_CREDITS, Service
from tests.chaos.verdict import Evidence, Verdict, judge

SUBMITTERS: Final = 3
OPEN_AT_ONCE: Final = 8
"""Jobs under way: enough that every worker has one and some wait, so that no fault meets an idle service."""
FIRST_FAULT_SECONDS: Final = 0.5
"""When the first fault comes at the latest: a few jobs are over before a longer pause is."""
TROUBLE_SECONDS: Final = 10
"""How long faults go on once the last job has come in, if any is left that they can meet."""
SETTLE_SECONDS: Final = 90
_PATIENT: Final = Retries(attempts=60, first_delay_seconds=0.1, longest_delay_seconds=2, total_seconds=600)


def run_scenario(service: Service, scenario: Scenario, job_count: int, account: str) -> Verdict:
    """Put a service through a scenario, as an account of its own."""
    credentials = service.add_account(account, job_count * PRICE_CREDITS)
    service.wait_until_well()
    began_ms = round(time.time() * 1000)
    with _trouble(service, scenario):
        if scenario.held:
            accepted, refused = hold(service, job_count, account), 0
        else:
            accepted, refused = _submit(service, scenario, job_count, credentials)
        service.wait_for_fewer(1, account, TROUBLE_SECONDS)
    service.wait_until_well()
    service.wait_for_fewer(1, account, SETTLE_SECONDS)
    accepted = {uid: with_right_result(service, account, uid, one) for uid, one in accepted.items()}
    evidence = Evidence(
        client=service.client, redis_dirs=service.redis_dirs(), blob_dir=service.blob_dir, limits=service.limits
    )
    return judge(evidence, account, accepted, refused, service.faults.times_ms(began_ms))


@contextmanager
def _trouble(service: Service, scenario: Scenario) -> Iterator[None]:
    """Make the scenario's faults as long as the block lasts; afterwards everything is whole again."""
    over = threading.Event()

    def keep_at_it() -> None:
        pause_seconds = min(scenario.every_seconds, FIRST_FAULT_SECONDS)
        while scenario.fault is not None and not over.wait(pause_seconds):
            scenario.fault(service)
            pause_seconds = scenario.every_seconds

    with ThreadPoolExecutor(1) as thread:
        service.faults.switch(scenario.chances)
        troublemaker = thread.submit(keep_at_it)
        try:
            yield
        finally:
            over.set()
            service.faults.switch({})
        troublemaker.result()


def _submit(
    service: Service, scenario: Scenario, job_count: int, credentials: KeyPair
) -> tuple[dict[TaskUid, Picture], int]:
    """Hand all pictures in, a bounded number at a time."""
    pictures = [picture(number, scenario.effects[number % len(scenario.effects)]) for number in range(job_count)]
    accepted: dict[TaskUid, Picture] = {}
    with (
        Client(service.url, credentials.public_key, credentials.private_key, retries=_PATIENT) as client,
        ThreadPoolExecutor(SUBMITTERS) as threads,
    ):

        def is_corrected(number: int) -> bool:
            every = scenario.corrected_every
            return bool(every) and number % every == 0 and number + 1 < job_count

        def submit(number: int, one: Picture) -> None:
            if number and is_corrected(number - 1):
                return  # the correction is the job
            service.wait_for_fewer(OPEN_AT_ONCE, credentials.account, SETTLE_SECONDS)
            try:
                job = client.remove_background(
                    one.png(), erode_size=0, hair_optimization="off", only_mask=one.only_mask
                )
            except CutgateError:
                return
            accepted[parse_task_uid(job.uid)] = one
            if is_corrected(number):
                correct(job, one)

        def correct(job: Job, one: Picture) -> None:
            with suppress(CutgateError):
                again = job.refine(keep=[[STROKE_PX]], radius_px=STROKE_RADIUS_PX)
                accepted[parse_task_uid(again.uid)] = Corrected(**asdict(one))

        for done in [threads.submit(submit, number, one) for number, one in enumerate(pictures)]:
            done.result()
    return accepted, job_count - len(accepted)
