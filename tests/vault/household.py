"""One of everything that is wrapped under an epoch, and what must be so after a rotation."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from django.conf import settings

from audit_log.actions import Action
from audit_log.models import PendingEntry
from tests.vault.cast import a_place, a_receipt, a_unit
from vault.credentials import open_credential, seal_credential
from vault.epochs import current
from vault.index import index
from vault.keyring import create_data_key, destroy_data_keys
from vault.models import DataKey, Epoch, EpochState
from vault.store import open_blob, seal, seal_blob, unseal
from vault.tags import tagger


class Household:
    """One of everything that is wrapped, with what each must still open."""

    def __init__(self, folder: Path) -> None:
        self.place = a_place()
        self.sealed = seal(self.place.permit, *self.place.where, b"happy")
        self.film = folder / "film"
        with seal_blob(self.place.permit, *self.place.where, self.film) as writer:
            writer.write(b"a film")
            writer.commit()
        self.film_bytes = self.film.read_bytes()
        self.tag = self.place.permit.subject_tag
        self.index = index(None, "email", "a@example.org")
        self.credential = seal_credential("totp", b"secret")
        self.dead = create_data_key(a_unit())
        destroy_data_keys([self.dead])

    def check(self) -> None:
        """Everything that lives opens as before; what is dead stays dead."""
        place = self.place
        opened = unseal(place.permit, a_receipt(place.permit), *place.where, self.sealed)
        assert opened.reveal() == b"happy"
        with open_blob(place.permit, a_receipt(place.permit), *place.where, self.film) as film:
            assert film.read() == b"a film"
        assert self.film.read_bytes() == self.film_bytes
        assert tagger(place.unit.subject_id, place.unit.purpose_id).subject() == self.tag
        assert index(None, "email", "a@example.org") == self.index
        assert open_credential("totp", self.credential) == b"secret"
        assert DataKey.objects.get(id=self.dead).wrapped is None


def key_files() -> set[str]:
    return {path.stem for path in (settings.KEYS_DIR / "epochs").iterdir()}


def entries(action: Action) -> list[str]:
    """The epochs that entries with this action name, oldest first."""
    bodies = [json.loads(bytes(row.body)) for row in PendingEntry.objects.order_by("entry_id")]
    found = [body for body in bodies if body["action"] == action]
    assert all(body["actor"] == "system:keeper" for body in found)
    return [json.loads(bytes.fromhex(body["detail"]))["epoch"] for body in found]


def check_finished(household: Household, before: UUID) -> None:
    """The rotation is over: one epoch, everything under it, every step in the log."""
    household.check()
    assert key_files() == {str(current().id)}
    assert current().id != before
    states = set(Epoch.objects.values_list("state", flat=True))
    assert states == {EpochState.CURRENT, EpochState.DESTROYED}
    opened, destroyed = entries(Action.EPOCH_OPEN), entries(Action.EPOCH_DESTROY)
    assert set(opened) == {str(id) for id in Epoch.objects.values_list("id", flat=True)}
    assert set(destroyed) == set(opened) - {str(current().id)}
