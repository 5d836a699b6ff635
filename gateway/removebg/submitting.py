"""Accepts pictures: to be cut out, or to be kept."""

import uuid
from dataclasses import dataclass, replace
from typing import Final

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.removebg.errors import Refused
from cutgate.gateway.removebg.forms import Fields
from cutgate.gateway.removebg.options import Options
from cutgate.gateway.removebg.sources import Sources
from cutgate.gateway.removebg.tariff import Tariff, shown
from cutgate.gateway.tasks.drafts import Draft, InspectedPicture, SourceUrl
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.tasks.submit import Submission
from cutgate.jobs.answers import Allowance
from cutgate.jobs.errors import IdempotencyConflict, InsufficientCredits
from cutgate.jobs.ids import TaskUid, image_uuid
from cutgate.jobs.record import KnownKey, RateUse
from cutgate.jobs.spec import CutoutSpec

ORIGIN: Final = "removebg"
"""What the ledger calls tasks of this façade."""
_IMPROVEMENT: Final = "removebg-improve"
_MINUTE_SECONDS: Final = 60
_JOINS_SECONDS: Final = 600
"""How long an equal request joins the task of the first: one client sends each three times."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a request."""

    uid: TaskUid
    options: Options
    tariff: Tariff
    allowance: Allowance | None
    """What the rate says of it, where it was counted again."""


@dataclass(frozen=True, slots=True)
class Removals:
    """Accepts what requests ask for."""

    parts: Parts
    sources: Sources

    def tariff(self, account: Account) -> Tariff:
        """What an account pays."""
        return Tariff(self.parts.submissions.price_for(account))

    def entry(self, account: Account, megapixels: int = 1, key: KnownKey | None = None) -> Entry:
        """A request that is still to be counted, as so many units, all of a minute's at most."""
        own = account.terms.submits_per_second
        limit = self.parts.settings.removebg_units_per_minute if own is None else own * _MINUTE_SECONDS
        weight = min(megapixels, limit)
        use = RateUse(name=f"{ORIGIN}:{account.name}", limit=limit, seconds=_MINUTE_SECONDS, weight=weight)
        return Entry(account=account.name, use=use, key=key)

    def accept(self, account: Account, given: Fields, name: str | None) -> Accepted:
        """Accept a picture to be cut out, or find the task that the same request made before.

        The pictures are taken away from the fields. `name` is what the caller calls this very request.
        """
        self.sources.check(given)
        options = Options.read(given)
        choice = account.terms.choice(self.parts.settings.choice)
        has_background = options.shows_background and ("bg_image_file" in given or "bg_image_url" in given)
        tariff = self.tariff(account)
        # Once for what is wrong with it, before a picture is looked at.
        options.spec(choice, options.size, has_background=has_background)
        picture = self.sources.picture(given)
        background = self.sources.background(given) if has_background else None
        pixels = None if isinstance(picture, SourceUrl) else picture.header.width_px * picture.header.height_px
        # Each request was counted as one megapixel when it came.
        further = 0 if isinstance(picture, SourceUrl) else picture.header.megapixels - 1
        entry = self.entry(account, further)
        if further:
            self.parts.limits.count(entry)
        if isinstance(picture, SourceUrl):
            picture = replace(picture, rate=entry.use)  # counted by the courier, which learns the size
        drafts = {
            size: Draft(
                source=picture,
                spec=options.spec(choice, size, has_background=has_background),
                background=background,
            )
            for size in tariff.sizes_for(options.size, pixels)
        }
        return Accepted(self._submit(account, drafts, tariff, name), options, tariff, entry.allowance)

    def _submit(self, account: Account, drafts: dict[str, Draft], tariff: Tariff, name: str | None) -> TaskUid:
        why: InsufficientCredits | IdempotencyConflict | None = None
        for size, draft in drafts.items():
            try:
                return self.parts.submissions.submit(
                    Submission(
                        account=account,
                        origin=ORIGIN,
                        drafts=[draft],
                        name=f"{ORIGIN}:{name}" if name else None,
                        joins_seconds=_JOINS_SECONDS,
                        price=tariff.of_size(size),
                        urgent=True,
                    )
                )
            except (InsufficientCredits, IdempotencyConflict) as error:
                why = error  # the name may stand for what the request fell back to before
        assert why is not None
        if isinstance(why, IdempotencyConflict):
            raise why
        price, left = shown(tariff.credits(why.price)), shown(tariff.credits(max(0, why.available)))
        raise Refused("insufficient_credits", f"The image costs {price} credits, {left} are left.")

    def keep(self, account: Account, given: Fields) -> uuid.UUID:
        """Keep a picture that a caller gives away, as an upload of the account; its id."""
        self.sources.check(given)
        picture = self.sources.picture(given)
        if isinstance(picture, InspectedPicture):
            return image_uuid(self.parts.pictures.keep(account, picture.data).uid)
        draft = Draft(source=SourceUrl(picture.url, keep=True), spec=CutoutSpec(model=self.parts.settings.model))
        kept = Submission(account=account, origin=_IMPROVEMENT, drafts=[draft])
        return image_uuid(self.parts.submissions.submit(kept))
