"""The operators' page that invites many people: paste a list, look at what would happen, then do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.errors import ConsentError
from consent.many_invitations import MOST, Fate, Line, check_list, invite_all
from consent.operator_views import UNPROCESSABLE, refuse
from consent.people_views import require_open
from consent.visibility import find_purpose

WORDS = {
    Fate.MAIL: gettext_lazy("The person is written to."),
    Fate.CARD: gettext_lazy("The person is filed; make the card on their page."),
    Fate.KNOWN: gettext_lazy("The person is in the study already: nothing happens."),
}
BADGES = {
    Fate.MAIL: ("live", gettext_lazy("e-mail")),
    Fate.CARD: ("waiting", gettext_lazy("card")),
    Fate.KNOWN: ("neutral", gettext_lazy("nothing")),
    Fate.WRONG: ("refused", gettext_lazy("wrong")),
}


class ListForm(forms.Form):
    """The pasted list."""

    people = forms.CharField(
        label=gettext_lazy("The people"),
        strip=False,
        max_length=40_000,
        widget=forms.Textarea(attrs={"rows": 12, "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One person a line: what the study calls them (a participant number, not a name), and their "
            "e-mail address if they have given one. Between the two a comma, a semicolon or a tab, as a "
            "table gives it when it is copied."
        ),
    )


@require_permission("consent.invite_subject")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invite_many(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """A list of people: POST checks it, and with ``step=invite`` invites them if no line is wrong."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    form, status, lines = ListForm(request.POST or None), 200, list[Line]()
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                require_open(purpose)
                lines = check_list(purpose, form.cleaned_data["people"])
                whole = all(line.fate is not Fate.WRONG for line in lines)
                status = 200 if whole else UNPROCESSABLE
                if whole and request.POST.get("step") == "invite":
                    invite_all(actor, purpose, lines)
                    messages.success(request, done_words(lines))
                    return redirect(f"{reverse('operate_people')}?purpose={purpose.id}")
            except ConsentError as error:
                status = refuse(form, error)
    count = Counter(line.fate for line in lines)
    context = {
        "form": form,
        "purpose": purpose,
        "lines": [shown(line) for line in lines],
        "wrong": count[Fate.WRONG],
        "to_do": count[Fate.MAIL] + count[Fate.CARD],
        "most": MOST,
        "mail_server": bool(settings.EMAIL_URL),
        "back_url": reverse("operate_purpose", args=[purpose.id]),
        "back_label": purpose.name,
    }
    return render(request, "operators/invite_many.html", context, status=status)


def shown(line: Line) -> dict[str, object]:
    """A line as the page shows it: by its number, so that the table names nobody."""
    kind, label = BADGES[line.fate]
    words = line.problem or WORDS[line.fate]
    return {"number": line.number, "kind": kind, "label": label, "words": words}


def done_words(lines: Sequence[Line]) -> str:
    """What was done, in a sentence for each kind of it."""
    count = Counter(line.fate for line in lines)
    mails, cards = count[Fate.MAIL], count[Fate.CARD]
    mailed = ngettext(
        "%(count)s invitation is in the outbox.", "%(count)s invitations are in the outbox.", mails
    )
    filed = ngettext(
        "%(count)s person was filed and waits for a card.",
        "%(count)s people were filed and wait for a card.",
        cards,
    )
    done = [
        words % {"count": number} for words, number in ((mailed, mails), (filed, cards)) if number
    ]
    return " ".join(done) or _("Everybody on the list was in the study already.")
