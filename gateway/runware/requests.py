"""What each task may hold, beside `taskType` and `taskUUID`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gateway.runware import fields

DEFAULT_MODEL: Final = "runware:109@1"


class Fields(BaseModel):
    """Members of one object. One that is absent, or null, is None."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True, protected_namespaces=()
    )


class Settings(Fields):
    """How a background is removed."""

    rgba: fields.Rgba | None = None
    post_process_mask: fields.Flag | None = None
    return_only_mask: fields.Flag | None = None
    alpha_matting: fields.Flag | None = None
    alpha_matting_foreground_threshold: fields.MatteSetting | None = None
    alpha_matting_background_threshold: fields.MatteSetting | None = None
    alpha_matting_erode_size: fields.MatteSetting | None = None


class Inputs(Fields):
    """The pictures of the new form."""

    image: fields.Text | None = None


class Removal(Settings):
    """Remove a background: the old form, the new one, and what mixes them."""

    input_image: fields.Text | None = None
    inputs: Inputs | None = None
    settings: Settings | None = None
    model: fields.Model = DEFAULT_MODEL
    output_type: fields.OutputTypes = ("URL",)
    output_format: fields.OutputFormat = "JPG"
    output_quality: fields.Quality = 95
    delivery_method: fields.DeliveryMethod | None = None
    webhook_url: Annotated[fields.WebUrl | None, Field(alias="webhookURL", repr=False)] = None
    upload_endpoint: Annotated[fields.WebUrl | None, Field(repr=False)] = None
    ttl: fields.Ttl | None = None
    include_cost: fields.Flag = False
    routing: fields.Ignored | None = None
    provider_settings: fields.Ignored | None = None
    safety: fields.Ignored | None = None


class Storing(Fields):
    """What the tasks have in common that keep a picture."""

    delivery_method: fields.DeliveryMethod | None = None


class ImageUpload(Storing):
    """Keep a picture for later use."""

    image: Annotated[fields.Text | None, Field(repr=False)] = None


class MediaStorage(Storing):
    """Keep a picture, or delete one that is kept."""

    operation: fields.StorageOperation
    media: Annotated[fields.Text | None, Field(repr=False)] = None


class AccountManagement(Fields):
    """Show the account."""

    operation: fields.AccountOperation


class Plain(Fields):
    """No fields of its own."""
