"""``manage.py demo_study``: a study to try everything with, in a demo installation only."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import SYSTEM_SETUP, actor_for
from accounts.models import Role, User
from accounts.operators import create_operator
from accounts.second_factor import enrol_app
from accounts.training import record_certificate
from audit_log.actions import ReasonCode
from consent.assessments import approve_assessment, write_assessment
from consent.invitations import send_invitation
from consent.models import (
    ControllerKind,
    DataCategory,
    MediaKind,
    OutboxMessage,
    Purpose,
    ResidualRisk,
    Sector,
    Use,
)
from consent.notices import publish_notice
from consent.outbox import hand_over
from consent.purposes import assign, create_purpose, open_purpose, submit_for_review
from consent.subjects import register_subject

ROLES = (Role.ADMINISTRATOR, Role.RESEARCHER, Role.DPO)
SUBJECT_EMAIL = "participant@example.org"
NOTICES = {
    "en": (
        "Smiles while listening to stories",
        "We would like to photograph your face while you listen to short stories, and to measure "
        "what your face shows.\n\n"
        "A computer here reads each photograph: how far the corners of your mouth move, and "
        "whether your face shows, for instance, a smile. It cannot tell what you feel, and nobody "
        "will say so.\n\n"
        "The photographs are erased as soon as they have been read. The measurements are erased "
        "after 90 days, or at once when you withdraw. You can see who looked at them, and why.\n\n"
        "Taking part is your choice. Saying no, or changing your mind, has no disadvantage.",
        "Controller: Story Laboratory, Example University. Contact: privacy@example.org.\n\n"
        "Legal basis: your explicit consent (GDPR Article 6(1)(a) and Article 9(2)(a)).\n\n"
        "Data: photographs of your face; apparent expression in seven classes; 52 facial "
        "movements. No recognition of who you are; no inference of origin, age, gender, health or "
        "any other trait; no automated decision.\n\n"
        "Recipients: the researchers of this study. Storage: on the laboratory's own machines.\n\n"
        "Your rights: access, rectification, erasure, restriction, portability, objection, and to "
        "withdraw at any time without reason. You may complain to a supervisory authority.",
    ),
    "zh-hans": (
        "听故事时的微笑",
        "我们希望在您听短故事时拍摄您的面部照片,并测量面部所显示的表情。\n\n"
        "照片由本地的计算机读取:嘴角移动了多少,面部是否显示例如微笑。"
        "它无法知道您的感受,也没有人会这样声称。\n\n"
        "照片读取后立即删除。测量结果保存 90 天后删除,您撤回同意时则立即删除。"
        "您可以看到谁查看过以及查看的原因。\n\n"
        "是否参加由您决定。拒绝或改变主意不会给您带来任何不利。",
        "控制者:示例大学故事实验室。联系方式:privacy@example.org。\n\n"
        "法律依据:您的明示同意(GDPR 第 6(1)(a) 条和第 9(2)(a) 条)。\n\n"
        "数据:您的面部照片;七类表面表情;52 种面部动作。不识别您的身份;"
        "不推断出身、年龄、性别、健康或任何其他特征;不作自动决定。\n\n"
        "接收者:本研究的研究人员。存储:实验室自己的机器上。\n\n"
        "您的权利:访问、更正、删除、限制、可携带、反对,以及随时无需理由撤回同意。"
        "您可以向监管机构投诉。",
    ),
}


def make_operators() -> dict[Role, tuple[User, str]]:
    """One operator of each role with a random password and an authenticator app."""
    made: dict[Role, tuple[User, str]] = {}
    for role in ROLES:
        password = secrets.token_urlsafe(12)
        email = f"{role.value}@example.org"
        author = actor_for(made[Role.ADMINISTRATOR][0]) if made else SYSTEM_SETUP
        user = create_operator(author, email=email, role=role, password=password)
        enrol_app(user)
        record_certificate(
            SYSTEM_SETUP,
            user.id,
            title="What the numbers mean (demo)",
            valid_until=timezone.now() + timedelta(days=365),
        )
        made[role] = (user, password)
    return made


CONTROLLER = {
    "kind": ControllerKind.CONTROLLER.value,
    "name": "Story Laboratory, Example University",
    "address": "1 Campus Road, Example City",
    "contact": "privacy@example.org",
}
ASSESSMENT = {
    "necessity": "How a face moves while somebody listens is the question itself; a questionnaire "
    "asks for memories. Single photographs, not films, and no recognition of who somebody is.",
    "risks": "A wrong reading could be taken for the person's feeling. Models err, and not equally "
    "for all faces. Photographs could be seen by somebody who should not see them.",
    "measures": "The product says expression, never feeling, and abstains when unsure. Photographs "
    "are sealed and erased once measured; every look is in the log and shown to the person.",
    "consultation": "The data protection officer advised; four volunteers of a first round were asked "
    "what they would mind, and the periods were halved.",
}


def make_purpose(administrator: User, officer: User, researcher: User) -> Purpose:
    """A purpose with notice and assessment, written by the administrator and opened by the officer."""
    actor = actor_for(administrator)
    purpose = create_purpose(
        actor,
        administrator,
        controllers=[CONTROLLER],
        name="Story study",
        description="How listeners' faces move while they hear short stories.",
        necessity="What a face shows while somebody listens cannot be asked for afterwards.",
        people="Adult volunteers who answered a public call",
        officer_contact="officer@example.org",
        authority="Data Protection Authority of Example Land, 2 Law Street, Example City",
        recipients="The researchers of this study",
        storage_location="The laboratory's own machines in Example City",
        jurisdiction="Germany (EU)",
        sector=Sector.RESEARCH,
        uses=[Use.STATISTICS, Use.INDIVIDUAL_FEEDBACK],
        categories=[DataCategory.MEDIA, DataCategory.EXPRESSION, DataCategory.BLENDSHAPES],
        takes=MediaKind.BOTH,
        media_retention_days=7,
        result_retention_days=90,
    )
    publish_notice(actor, purpose, NOTICES)
    written = write_assessment(
        actor, administrator, purpose, ASSESSMENT, residual_risk=ResidualRisk.LOW
    )
    submit_for_review(actor, purpose.id)
    assign(actor, purpose, researcher)
    decider = actor_for(officer)
    approve_assessment(decider, officer, written.id)
    return open_purpose(decider, officer, purpose.id)


def write_secret_file(path: Path, text: str) -> None:
    """Write with mode 0600 from the first byte."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


class Command(BaseCommand):
    """Makes the demo's people and study once, and prints their logins once."""

    help = "Make a demo study with one person of each role (demo installations only)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuses outside a demo, and to leave a demo half-made; does nothing in one that has people."""
        if not settings.DEMO:
            raise CommandError("This is not a demo installation (CONSENTRY_DEMO is not set).")
        unfinished = Path(settings.VAR_DIR) / "demo-unfinished"
        if User.objects.exists():
            if unfinished.exists():
                raise CommandError(
                    "The demo was stopped while it was made, and nobody has its passwords. Move "
                    f"{settings.VAR_DIR} and {settings.KEYS_DIR} away, and start again."
                )
            return
        unfinished.touch()
        made = make_operators()
        administrator, researcher, officer = (made[role][0] for role in ROLES)
        purpose = make_purpose(administrator, officer, researcher)
        actor = actor_for(administrator)
        subject = register_subject(actor, purpose, reference="P-001", email=SUBJECT_EMAIL)
        send_invitation(actor, subject, purpose)
        letter = hand_over(actor, OutboxMessage.objects.get(), ReasonCode.NOTIFY)
        (link,) = (word for word in letter.text.split() if word.startswith(settings.SITE_URL))
        lines = [
            "Demo logins (this file is the only place they are kept):",
            "",
            *(f"  {role.label:<24} {made[role][0].email:<28} {made[role][1]}" for role in ROLES),
            "    one-time codes for these three: make demo-code",
            "",
            f"  Data subject             {link}",
            f"    works once; afterwards sign in as {SUBJECT_EMAIL}:",
            "    the code waits in the administrator's outbox",
            "",
        ]
        path = Path(settings.KEYS_DIR) / "demo_logins"
        write_secret_file(path, "\n".join(lines))
        unfinished.unlink()
        self.stdout.write("\n".join(lines))
