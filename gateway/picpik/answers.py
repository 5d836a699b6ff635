"""Answers of each action, beside the members that every answer has."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal


class Answer(BaseModel):
    """An answer without members of its own."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_pascal,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


class TaskCreated(Answer):
    """A task was accepted."""

    task_uid: str = Field(alias="TaskUID")
    """The task's id, to ask `ListTasksDetails` about."""


class TaskDetail(Answer):
    """A task as it stands; all members are there, whatever the state."""

    task_uid: str = Field(alias="TaskUID")
    """The requested id."""
    action: str
    """The action that made the task; empty for an unknown task."""
    status: str
    """`Queuing`, `Running`, `Finished` or `Error`."""
    img_list: list[str]
    """URLs of the results in the order of the pictures; empty for one that failed."""
    confidence_list: list[float | None] = Field(default_factory=list)
    """Our own: how likely each result is right, 0 to 1; null for one that failed."""
    seed: int = 0
    """Always 0."""
    txt_list: list[str] = Field(default_factory=list)
    """Always empty."""
    consume_api_point: int
    """Credits charged."""
    error_code: int
    """0, or why a picture failed: 230 not found, 1001 failed, 1002 terminated, 1003 timed out."""
    error_massage: str
    """What went wrong; the spelling is the protocol's."""
    error_message: str
    """`ErrorMassage` under the corrected name."""


class TaskEvent(TaskDetail):
    """The data of an event: a task as it stands now, and how far it is."""

    place: int | None = None
    """While `Queuing`: the estimated place in the queue, 1 for the next; null where it is not known. Accounts take
    turns, so other accounts' later tasks can come first."""
    phase: str | None = None
    """While `Running`: `reading`, `computing` or `writing`; null between two pictures of a batch, and before a
    repeat. Of a batch that of the first picture in work."""


class TaskDetails(Answer):
    """Tasks in the order of the request."""

    task_detail_list: list[TaskDetail]
    """One entry for each id."""


class TaskIds(Answer):
    """Tasks that have not ended, oldest first."""

    task_uid_list: list[str] = Field(alias="TaskUIDList")
    """Their ids."""


class CreditBalance(Answer):
    """Credits of the account."""

    total_credits: int
    """All ever granted."""
    used_credits: int
    """Charged for finished pictures."""
    expire_timestamp: int | None = None
    """Absent: credits do not lapse."""
    metered: bool | None = None
    """False where credits limit nothing, and `TotalCredits` is only a large number; absent where they do."""


class ModelLists(Answer):
    """Models of image generation: none."""

    main_models: dict[str, object] = Field(default_factory=dict)
    """Always empty."""
    lora_models: dict[str, object] = Field(default_factory=dict)
    """Always empty."""
    embedding_models: dict[str, object] = Field(default_factory=dict)
    """Always empty."""
    hypernetwork_models: dict[str, object] = Field(default_factory=dict)
    """Always empty."""


class GenerateTask(Answer):
    """A task as it stands, in the words of the older interface."""

    task_type: str
    """`TaskRemoveBackground`; empty for an unknown task."""
    task_status: str
    """As `Status` of `ListTasksDetails`."""
    final_picture_urls: list[str]
    """As `ImgList`."""
    task_error_msg: str
    """As `ErrorMessage`."""
    task_error_code: int
    """As `ErrorCode`."""


class ListedGenerateTask(GenerateTask):
    """A task's result as an entry of a list, with the task's id."""

    task_uid: str = Field(alias="TaskUid")
    """The requested id."""


class GenerateTasks(Answer):
    """Tasks in the order of the request."""

    task_detail_list: list[ListedGenerateTask]
    """One entry for each id."""
