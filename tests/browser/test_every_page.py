"""Every page that the table of roles lists, in a real browser, as somebody to whom it opens.

The other files look at pages with more on them, and at what comes of a form. ``tools.pages`` holds after a
whole run that no page was left out.
"""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext

from accounts.actors import SYSTEM_SETUP
from accounts.models import Role
from accounts.operators import create_operator
from tests.browser.looking import SEALED, Looker, Shown, wear
from tests.cast import Operator, consenting, open_study
from tests.faults.roles import ASKED, ROLES, TABLE, address, build
from tools.pages import IN_A_STATE, pages

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]
LOOKERS = ("administrator", "researcher", "DPO", "subject", "stranger")
"""Who looks: the first of these to whom a page opens."""


def pages_of(role: str) -> list[str]:
    """The names of the pages that this role is the one to look at."""
    found = []
    for name, told in pages(TABLE.read_text()).items():
        opens = [each for each in LOOKERS if told[ROLES.index(each)] == "yes"]
        if opens[:1] == [role] and name not in IN_A_STATE:
            found.append(name)
    return found


@pytest.mark.parametrize("role", LOOKERS)
def test_every_page_of_the_table_is_clean(site: str, context: BrowserContext, role: str) -> None:
    house = build()
    looker = Looker(context, site, f"{SEALED} {ASKED}")
    if role != "stranger":
        wear(context, site, house.browsers[role])
    names = pages_of(role)
    assert names
    for name in names:
        looker.look(Shown(f"page-{name.replace('_', '-')}", address(name, house.arguments)))
    assert looker.troubles == [], "\n".join(looker.troubles)


def test_the_page_that_is_left_of_an_account_is_clean(site: str, context: BrowserContext) -> None:
    person = consenting(open_study())
    left = person.browser.post(reverse("close_account")).headers["Location"]
    looker = Looker(context, site)
    looker.look(Shown("page-closed-account", left))
    assert looker.troubles == []


def with_password(looker: Looker, address: str, password: str) -> None:
    """The first step of an operator's sign-in."""
    looker.page.goto(looker.site + reverse("account_login"))
    looker.page.fill("[name=login]", address)
    looker.page.fill("[name=password]", password)
    looker.send("main form button")


def test_the_pages_of_the_second_factor_are_clean(site: str, context: BrowserContext) -> None:
    old: Operator = open_study().administrator
    looker = Looker(context, site)
    with_password(looker, old.user.email, old.password)
    looker.look(Shown("page-second-factor", reverse("mfa_authenticate")))
    context.clear_cookies()
    new = "new@example.org"
    create_operator(SYSTEM_SETUP, email=new, role=Role.DPO, password=old.password)
    with_password(looker, new, old.password)
    looker.look(Shown("page-second-factor-new", reverse("mfa_activate_totp")))
    assert looker.troubles == []
