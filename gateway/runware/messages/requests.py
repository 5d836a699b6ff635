"""The types of tasks, and what each may hold beside `taskType` and `taskUUID`."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cutgate.gateway.runware.messages import fields

DEFAULT_MODEL: Final = "runware:109@1"


class TaskType(StrEnum):
    """What a task object can ask for."""

    #: The one that is answered before its turn, and for anybody.
    PING = "ping"
    #: What goes before all others.
    AUTHENTICATION = "authentication"
    OLD_REMOVAL = "imageBackgroundRemoval"
    NEW_REMOVAL = "removeBackground"
    IMAGE_UPLOAD = "imageUpload"
    MEDIA_STORAGE = "mediaStorage"
    GET_RESPONSE = "getResponse"
    GET_TASK_DETAILS = "getTaskDetails"
    ACCOUNT_MANAGEMENT = "accountManagement"


class Fields(BaseModel):
    """Members of one object. One that is absent, or null, is None."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        hide_input_in_errors=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


class Settings(Fields):
    """How a background is removed."""

    rgba: fields.Rgba | None = None
    """Colour and alpha of what lies under the cut-out; of a JPG, which has no alpha, the colour alone."""
    post_process_mask: fields.Flag | None = None
    """Clean specks and frayed edges away before all else."""
    return_only_mask: fields.Flag | None = None
    """Give the mask instead of the cut-out: white on the subject, the size of the picture."""
    alpha_matting: fields.Flag | None = None
    """Estimate alpha and colours anew where the mask is unsure."""
    alpha_matting_foreground_threshold: fields.MatteSetting | None = None
    """Mask level above which a pixel is certain foreground; with `alphaMatting` alone."""
    alpha_matting_background_threshold: fields.MatteSetting | None = None
    """Mask level below which a pixel is certain background, not above the foreground's; with `alphaMatting`
    alone."""
    alpha_matting_erode_size: fields.MatteSetting | None = None
    """Side in pixels of the square that both certain regions are eroded with; with `alphaMatting` alone."""


class Inputs(Fields):
    """The pictures of the new form."""

    image: fields.Text | None = None
    """The picture, as in `inputImage`."""


class Removal(Settings):
    """Remove a background: the old form, the new one, and what mixes them."""

    input_image: fields.Text | None = None
    """The picture of the old form: Base64, a data URI, a URL, or the UUID of an upload or a result. One of
    the two is required."""
    inputs: Inputs | None = None
    """The picture of the new form, as `inputs.image`; it counts where both are there."""
    settings: Settings | None = None
    """The settings of the new form; in the old one they lie beside the other fields."""
    model: fields.Model = DEFAULT_MODEL
    """Any of the protocol's models; which network runs it is the installation's choice."""
    output_type: fields.OutputTypes = ("URL",)
    """How the result comes back."""
    output_format: fields.OutputFormat = "JPG"
    """Encoding of the result, in any letter case. Only PNG and WEBP have alpha."""
    output_quality: fields.Quality = 95
    """Of JPG and WEBP; PNG has none."""
    delivery_method: fields.DeliveryMethod | None = None
    """Wait for the result, or have it acknowledged and ask with `getResponse`; `sync` where absent, `async`
    with a `webhookURL`."""
    webhook_url: Annotated[fields.WebUrl | None, Field(alias="webhookURL", repr=False)] = None
    """Where the outcome is posted to; the task is then asynchronous unless it says `sync`."""
    upload_endpoint: Annotated[fields.WebUrl | None, Field(repr=False)] = None
    """Where the encoded result is put to, beside the answer."""
    ttl: fields.Ttl | None = None
    """Seconds for which `imageURL` is good; never longer than results are kept."""
    include_cost: fields.Flag = False
    """Add `cost` to the result."""
    routing: fields.Ignored | None = None
    """Accepted and ignored."""
    provider_settings: fields.Ignored | None = None
    """Accepted and ignored."""
    safety: fields.Ignored | None = None
    """Accepted and ignored."""


class Storing(Fields):
    """What the tasks have in common that keep a picture."""

    delivery_method: fields.DeliveryMethod | None = None
    """Whether to wait for a picture by URL, `sync` where absent; any other is kept at once."""


class ImageUpload(Storing):
    """Keep a picture for later use."""

    image: Annotated[fields.Text | None, Field(repr=False)] = None
    """The picture: Base64, a data URI, a URL, or the UUID of an upload or a result. Required."""


class MediaStorage(Storing):
    """Keep a picture, or delete one that is kept."""

    operation: fields.StorageOperation
    """Keep the picture, or delete it."""
    media: Annotated[fields.Text | None, Field(repr=False)] = None
    """To upload, the picture as in `imageUpload`; to delete, its `mediaUUID`. Required."""


class AccountManagement(Fields):
    """Show the account."""

    operation: fields.AccountOperation
    """The one thing that there is to ask."""


class Plain(Fields):
    """No fields of its own."""
