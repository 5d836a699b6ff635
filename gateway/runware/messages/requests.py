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
    IMAGE_BACKGROUND_REMOVAL = "imageBackgroundRemoval"
    REMOVE_BACKGROUND = "removeBackground"
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
    """Colour and alpha behind the cut-out; in a JPG the colour alone. An alpha such as `0.5` is a fraction. `1`
    and `1.0` are the same number in JSON: both mean 1 of 255."""
    post_process_mask: fields.Flag | None = None
    """First remove specks and frayed edges from the mask."""
    return_only_mask: fields.Flag | None = None
    """Return the mask: white on the subject, the size of the picture."""
    alpha_matting: fields.Flag | None = None
    """Estimate alpha and colours where the mask is unsure."""
    alpha_matting_foreground_threshold: fields.MatteSetting | None = None
    """Mask level above which a pixel is certain foreground. If only one threshold is sent, the other one's default
    makes room for it."""
    alpha_matting_background_threshold: fields.MatteSetting | None = None
    """Mask level below which a pixel is certain background, at most the foreground's."""
    alpha_matting_erode_size: fields.MatteSetting | None = None
    """Side in pixels of the square that erodes both certain regions."""
    holes: fields.Holes | None = None
    """Cutgate's own: what becomes of transparent parts that the subject encloses, such as a white label on white;
    `fill` makes them opaque unless they show the background."""
    preserve_alpha: fields.Flag | None = None
    """Accepted and ignored: transparent pixels of the picture stay transparent."""


class Inputs(Fields):
    """The pictures of the new form."""

    image: fields.Text | None = None
    """The picture, as in `inputImage`."""


class Removal(Settings):
    """Remove a background: the old form, the new one, and what mixes them."""

    input_image: fields.Text | None = None
    """The picture in the old form: Base64, a data URI, a URL, or the UUID of an upload or a result.
    Required, unless `inputs` is there."""
    inputs: Inputs | None = None
    """The picture in the new form, as `inputs.image`; overrides `inputImage`."""
    settings: Settings | None = None
    """The settings in the new form."""
    model: fields.Model = DEFAULT_MODEL
    """The installation chooses the network that runs it."""
    output_type: fields.OutputTypes = ("URL",)
    """How the result comes back."""
    output_format: fields.OutputFormat = "JPG"
    """Format of the result, in any case. JPG has no alpha."""
    output_quality: fields.Quality = 95
    """For JPG and WEBP."""
    delivery_method: fields.DeliveryMethod | None = None
    """Wait for the result, or ask for it with `getResponse`; default `sync`, with a `webhookURL` `async`."""
    webhook_url: Annotated[fields.WebUrl | None, Field(alias="webhookURL", repr=False)] = None
    """Where the outcome is posted."""
    upload_endpoint: Annotated[fields.WebUrl | None, Field(repr=False)] = None
    """Where the result is also put."""
    ttl: fields.Ttl | None = None
    """How long `imageURL` is valid, while results are kept."""
    include_cost: fields.Flag = False
    """Add `cost` to the result."""
    routing: fields.Ignored | None = None
    """Accepted and ignored."""
    provider_settings: fields.Ignored | None = None
    """Accepted and ignored."""
    safety: fields.Ignored | None = None
    """Accepted and ignored."""
    accelerator_options: fields.Ignored | None = None
    """Accepted and ignored."""
    number_results: fields.OneResult = 1
    """A removal has one result."""


class Storing(Fields):
    """What the tasks have in common that keep a picture."""

    delivery_method: fields.DeliveryMethod | None = None
    """For a picture by URL; default `sync`. Any other is kept at once."""


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
    """The only operation."""


class Plain(Fields):
    """No fields of its own."""
