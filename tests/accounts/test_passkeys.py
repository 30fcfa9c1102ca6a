"""Passkeys over HTTP, with a device written in Python: right, forged and malformed answers.

A real browser does the same in ``tests/browser/test_passkeys``.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY
from bs4 import BeautifulSoup
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.cache import cache
from django.test import Client, RequestFactory
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

from accounts.models import FailedLogin, User
from accounts.passkeys import registered
from accounts.sign_ins import sign_in_subject
from consent.models import DataSubject
from tests.accounts.conftest import actions, entries, password_step, sign_in

SITE = "https://testserver"
ADD, ALONE = "/account/2fa/webauthn/add/", "/account/2fa/webauthn/login/"
AFTER_PASSWORD = "/account/2fa/authenticate/"
FLAGS = AuthenticatorData.FLAG
PRESENT = FLAGS.USER_PRESENT | FLAGS.USER_VERIFIED
SEED = 20261129


@dataclass
class Device:
    """What a telephone does with a passkey: ES256, no attestation.

    ``flags``: that somebody touched it, and that it verified who that is; a plain key tells the first only.
    """

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    number: bytes = b"sixteen bytes id"
    flags: AuthenticatorData.FLAG = PRESENT
    site = sha256(b"testserver").digest()

    def registers(self, challenge: str, public: Any = None) -> dict[str, Any]:
        """The answer to ``navigator.credentials.create``."""
        public = public or ES256.from_cryptography_key(self.key.public_key())
        data = AuthenticatorData.create(
            self.site,
            self.flags | FLAGS.ATTESTED,
            0,
            AttestedCredentialData.create(bytes(16), self.number, public),
        )
        told = CollectedClientData.create("webauthn.create", challenge, SITE)
        return self.answer(
            {
                "clientDataJSON": websafe_encode(told),
                "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
            }
        ) | {"clientExtensionResults": {"credProps": {"rk": True}}}

    def signs(self, challenge: str, user: User) -> dict[str, Any]:
        """The answer to ``navigator.credentials.get``."""
        data = AuthenticatorData.create(self.site, self.flags, 1)
        told = CollectedClientData.create("webauthn.get", challenge, SITE)
        signature = self.key.sign(data + told.hash, ec.ECDSA(hashes.SHA256()))
        return self.answer(
            {
                "clientDataJSON": websafe_encode(told),
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(signature),
                "userHandle": websafe_encode(user_pk_to_url_str(user).encode()),
            }
        )

    def answer(self, response: dict[str, str]) -> dict[str, Any]:
        number = websafe_encode(self.number)
        return {"id": number, "rawId": number, "type": "public-key", "response": response}


def challenge_of(page: Any) -> str:
    """The challenge that a page hands the browser."""
    (script,) = BeautifulSoup(page.content, "html.parser").select("script#js_data")
    (options,) = json.loads(script.text).values()
    return str(options["publicKey"]["challenge"])


def challenge_given_up(browser: Client, user: User) -> str:
    """The challenge of a second step that was given up after the password."""
    password_step(browser, user.email)
    challenge = challenge_of(browser.get(AFTER_PASSWORD))
    browser.post("/account/logout/")
    return challenge


def add(client: Client, device: Device, **form: Any) -> Any:
    answer = device.registers(challenge_of(client.get(ADD)))
    return send(client, ADD, answer, **{"name": "Telephone", "passwordless": "on"} | form)


def add_second_factor(client: Client, device: Device) -> Any:
    answer = device.registers(challenge_of(client.get(ADD)))
    return send(client, ADD, answer, name="Key")


def send(client: Client, address: str, answer: Any, **form: Any) -> Any:
    return client.post(address, {"credential": json.dumps(answer), **form})


def challenge_alone(client: Client) -> str:
    options = client.get(ALONE, headers={"X-Requested-With": "XMLHttpRequest"}).json()
    return str(options["request_options"]["publicKey"]["challenge"])


def alone(client: Client, device: Device, user: User) -> Any:
    return send(client, ALONE, device.signs(challenge_alone(client), user))


def of_a_subject() -> tuple[User, Client]:
    """A data subject who has just come in by a code."""
    user = User.objects.create_subject()
    DataSubject.objects.create(user=user)
    request, client = RequestFactory().get("/"), Client()
    request.session = client.session
    sign_in_subject(request, user)
    request.session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(request.session.session_key)
    return user, client


def test_a_passkey_opens_alone_and_after_the_password(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    device = Device()
    assert add(client, device).status_code == 302
    kept = Authenticator.objects.get(user=dpo, type="webauthn")
    assert str(kept) == "Telephone"
    assert set(kept.data["credential"]) == {
        "id", "rawId", "type", "response", "clientExtensionResults",
    }  # fmt: skip
    assert alone(Client(), device, dpo).headers["Location"] == "/home/"
    other = Client()
    password_step(other, dpo.email)
    challenge = challenge_of(other.get(AFTER_PASSWORD))
    assert send(other, AFTER_PASSWORD, device.signs(challenge, dpo)).headers["Location"] == "/home/"
    assert actions()[-1] == ("login:succeed", "ok", f"operator:{dpo.id}")


def test_the_key_of_another_device_is_refused_and_written_down(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    device = Device()
    add(client, device)
    forged = Device()  # it knows the number, but not the key
    stranger = Client()
    assert alone(stranger, forged, dpo).headers["Location"] == "/account/login/"
    assert actions()[-1] == ("login:fail", "refused", "anonymous")
    password_step(stranger, dpo.email)
    challenge = challenge_of(stranger.get(AFTER_PASSWORD))
    page = send(stranger, AFTER_PASSWORD, forged.signs(challenge, dpo))
    assert page.status_code == 200
    assert actions()[-1] == ("login:fail", "refused", f"operator:{dpo.id}")
    assert b"anonymous" in stranger.get("/home/").content


def test_forged_answers_are_counted(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    device = Device()
    add(client, device)
    forged, number = Device(), len(actions())
    for _time in range(10):
        alone(Client(REMOTE_ADDR="192.0.2.7"), forged, dpo)
    assert [each["reason"] for each in entries()[number:]] == [
        *["bad-credentials"] * 5,
        "too-many-attempts",
    ]
    assert alone(Client(), device, dpo).headers["Location"] == "/account/login/"
    FailedLogin.objects.all().delete()
    assert alone(Client(), device, dpo).headers["Location"] == "/home/"


def test_an_answer_serves_once(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    device = Device()
    add(client, device)
    browser = Client()
    answer = device.signs(challenge_alone(browser), dpo)
    for expected in ("/home/", "/account/login/"):
        assert send(browser, ALONE, answer).headers["Location"] == expected
        browser.post("/account/logout/")


def refused_alone(browser: Client) -> bool:
    return actions()[-1] == ("login:fail", "refused", "anonymous") and (
        b"anonymous" in browser.get("/home/").content
    )


def test_a_stolen_key_that_is_only_touched_does_not_open_alone(
    client: Client, dpo: User, administrator: User
) -> None:
    """Not by the challenge of the thief's own second step either, given up before it is signed."""
    sign_in(client, administrator)
    stolen = Device(flags=FLAGS.USER_PRESENT)
    assert add_second_factor(client, stolen).status_code == 302
    browser = Client()
    assert alone(browser, stolen, administrator).headers["Location"] == "/account/login/"
    sign_in(thief := Client(), dpo)
    add_second_factor(thief, Device(number=b"the thief's own!"))
    challenge = challenge_given_up(browser, dpo)
    page = send(browser, ALONE, stolen.signs(challenge, administrator))
    assert page.headers["Location"] == "/account/login/"
    assert refused_alone(browser)
    password_step(browser, administrator.email)
    challenge = challenge_of(browser.get(AFTER_PASSWORD))
    page = send(browser, AFTER_PASSWORD, stolen.signs(challenge, administrator))
    assert page.headers["Location"] == "/home/", "after the password it still serves"


def test_a_challenge_serves_only_the_page_that_made_it(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    device = Device()
    add(client, device)
    browser = Client()
    challenge = challenge_given_up(browser, dpo)
    page = send(browser, ALONE, device.signs(challenge, dpo))
    assert page.headers["Location"] == "/account/login/"
    assert refused_alone(browser)
    challenge = challenge_alone(browser)
    password_step(browser, dpo.email)
    assert send(browser, AFTER_PASSWORD, device.signs(challenge, dpo)).status_code == 200
    assert actions()[-1] == ("login:fail", "refused", f"operator:{dpo.id}")


def test_a_passkey_alone_proves_who_holds_it_whatever_was_asked(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    device = Device()
    add(client, device)
    device.flags = FLAGS.USER_PRESENT
    browser = Client()
    challenge = challenge_alone(browser)
    session = browser.session
    session[STATE_SESSION_KEY] |= {"user_verification": None}
    session.save()
    page = send(browser, ALONE, device.signs(challenge, dpo))
    assert page.headers["Location"] == "/account/login/"
    assert refused_alone(browser)


def test_a_second_factor_does_not_open_alone(client: Client, dpo: User) -> None:
    """Not even when the device could, and says so."""
    sign_in(client, dpo)
    device = Device()
    assert add_second_factor(client, device).status_code == 302
    browser = Client()
    assert alone(browser, device, dpo).headers["Location"] == "/account/login/"
    assert refused_alone(browser)


def test_a_subjects_passkey_always_opens_alone() -> None:
    user, browser = of_a_subject()
    touched = Device(number=b"not verified....", flags=FLAGS.USER_PRESENT)
    assert add_second_factor(browser, touched).status_code == 200
    device = Device()
    assert add_second_factor(browser, device).status_code == 302
    assert alone(Client(), device, user).headers["Location"] == "/home/"


def test_a_subjects_passkey_is_numbered_and_names_nobody() -> None:
    user, browser = of_a_subject()
    page = browser.get(ADD)
    assert b'name="name"' not in page.content
    for number in (b"the first device", b"the second device"):
        add(browser, Device(number=number), name="Visible-Alice's telephone")
    names = sorted(str(each) for each in Authenticator.objects.filter(user=user))
    assert names == ["Passkey 1", "Passkey 2"]
    first = Authenticator.objects.filter(user=user).earliest("id")
    assert browser.get(f"/account/2fa/webauthn/keys/{first.pk}/edit/").status_code == 404
    assert b"Rename" not in browser.get("/account/2fa/webauthn/").content
    assert browser.post(f"/account/2fa/webauthn/keys/{first.pk}/remove/").status_code == 302
    add(browser, Device(number=b"the third device"))
    names = sorted(str(each) for each in Authenticator.objects.filter(user=user))
    assert names == ["Passkey 1", "Passkey 2"], "a number that is free again"


def test_an_operator_names_and_renames_a_passkey(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    assert add(client, Device(), name="A" * 61).status_code == 200
    assert not Authenticator.objects.filter(type="webauthn").exists()
    add(client, Device())
    kept = Authenticator.objects.get(type="webauthn")
    rename = f"/account/2fa/webauthn/keys/{kept.pk}/edit/"
    assert client.post(rename, {"name": "A" * 61}).status_code == 200
    assert client.post(rename, {"name": "Key ring"}).status_code == 302
    kept.refresh_from_db()
    assert str(kept) == "Key ring"


NONE = [
    "0",
    "false",
    '""',
    "null",
    "[]",
    "{}",
    "1",
    '"a"',
    "[" * 20_000,
    '{"id": 1}',
    "x",
    "\x00",
    "",
]


@pytest.mark.parametrize("sent", NONE, ids=lambda sent: repr(sent[:12]))
def test_what_no_device_answers_is_refused(client: Client, dpo: User, sent: str) -> None:
    sign_in(client, dpo)
    page = client.post(ADD, {"credential": sent, "name": "x"})
    assert page.status_code == 200
    (field,) = BeautifulSoup(page.content, "html.parser").select("input[name=credential]")
    assert field["value"] == "null", "what came is not written back"
    assert not Authenticator.objects.filter(type="webauthn").exists()
    assert Client().post(ALONE, {"credential": sent}).headers["Location"] == "/account/login/"
    other = Client()
    password_step(other, dpo.email)
    assert other.post(AFTER_PASSWORD, {"credential": sent}).status_code == 200
    assert b"anonymous" in other.get("/home/").content


def keys_that_verify_nothing() -> dict[str, dict[int, Any]]:
    right = dict(ES256.from_cryptography_key(Device().key.public_key()))
    return {
        "an unknown algorithm": right | {3: -65_000},
        "half a point": {key: value for key, value in right.items() if key != -2},
        "a point beside the curve": right | {-2: bytes(32)},
    }


@pytest.mark.parametrize("name", keys_that_verify_nothing())
def test_a_key_that_can_verify_nothing_is_no_passkey(client: Client, dpo: User, name: str) -> None:
    sign_in(client, dpo)
    answer = Device().registers(challenge_of(client.get(ADD)), keys_that_verify_nothing()[name])
    assert send(client, ADD, answer, name="x").status_code == 200
    assert not Authenticator.objects.filter(type="webauthn").exists()


def mutated(answer: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """One part of an answer, whichever, is something else."""
    changed: dict[str, Any] = json.loads(json.dumps(answer))
    inside = chance.choice([changed, changed["response"]])
    name = chance.choice(sorted(inside))
    old = inside[name]
    others = [None, 0, [], {}, {"credProps": 1}, "", "A", "AAAA", "é", "\x00"]
    if isinstance(old, str) and chance.random() < 0.6:
        at = chance.randrange(len(old))
        inside[name] = chance.choice([old[:at], old[:at] + "A" + old[at + 1 :], old + old])
    elif chance.random() < 0.2:
        del inside[name]
    else:
        inside[name] = chance.choice(others)
    return changed


def test_a_mutated_answer_is_right_or_refused(client: Client, dpo: User) -> None:
    """Never a fault, whatever is changed; a stored key can always be read again."""
    sign_in(client, dpo)
    chance, device, filed = random.Random(SEED), Device(), 0
    for _number in range(150):
        answer = mutated(device.registers(challenge_of(client.get(ADD))), chance)
        assert send(client, ADD, answer, name="x").status_code in {200, 302}
        for kept in Authenticator.objects.filter(user=dpo, type="webauthn"):
            assert registered(kept.data["credential"])["id"] == kept.data["credential"]["id"]
            filed += 1
            kept.delete()
    assert filed, "some changes change nothing that matters"
    add(client, device)
    for _number in range(150):
        cache.clear()  # ten of them a minute are looked at, of one address
        FailedLogin.objects.all().delete()
        browser = Client()
        right = device.signs(challenge_alone(browser), dpo)
        answer = mutated(right, chance)
        opened = send(browser, ALONE, answer).headers["Location"] == "/home/"
        assert not opened or signed_parts(answer) == signed_parts(right)


def signed_parts(answer: dict[str, Any]) -> list[Any]:
    response = answer["response"]
    return [response.get(name) for name in ("clientDataJSON", "authenticatorData", "signature")]
