"""Words in a purpose's free text that ask the reviewer to look again.

They refuse nothing: a word proves nothing, and whoever wants to hide a use avoids it. They only make
sure that nobody opens a purpose without having read the sentence in which one stands. English, German,
Spanish, and Chinese in both scripts.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from consent.models import Purpose

# A star stands for any ending. Words are compared without case and accents.
WORDS: dict[str | Promise, str] = {
    _("work or recruitment (Art. 5(1)(f))"): (
        "employe* employment worker* workforce workplace personnel supervisor* "
        "candidate* applicant* recruit* hiring interviewee* job jobs productivity "
        "mitarbeit* beschaftigt* arbeitnehmer* arbeitsplatz* belegschaft bewerb* "
        "vorstellungsgesprach* einstellung* "
        "emplead* trabajador* laboral* plantilla candidat* aspirante* seleccion contratacion "
        "员工 雇员 职员 工人 职场 求职 候选人 招聘 面试 绩效 員工 僱員 職員 職場 求職 候選人 面試 績效"
    ),
    _("education (Art. 5(1)(f))"): (
        "pupil* student* school* classroom* teacher* lesson* exam exams examination* "
        "schuler* schueler* schule* studierend* student* unterricht* lehrer* lehrkraft* prufung* "
        "pruefung* "
        "alumn* estudiante* escolar* escuela* aula* profesor* examen examenes "
        "学生 学校 课堂 教室 教师 考试 學生 學校 課堂 教師 考試"
    ),
    _("lies or intent (Annex III(6))"): (
        "lie lies liar* lying decepti* deceiv* polygraph* truthful* honesty intent intention* "
        "luge* luege* lugner* lugen* betrug* tausch* absicht* wahrheit* "
        "mentira* mentir* mentiroso* engano* polig* intencion* sinceridad "
        "谎 测谎 欺骗 诚实 意图 謊 測謊 欺騙 誠實 意圖"
    ),
    _("a protected trait (Art. 5(1)(g))"): (
        "ethnic* race racial* religio* muslim* jewish christian* gender* sex sexual* "
        "orientation gay lesbian* transgender* politic* union nationalit* migrant* disabilit* "
        "ethni* rasse* herkunft* religion* glaube* geschlecht* sexuell* politisch* gewerkschaft* "
        "nationalitat* behinderung* "
        "etni* raza* racial* religion* genero sexo sexual* politic* sindica* nacionalidad* "
        "discapacidad* "
        "民族 种族 宗教 信仰 性别 性取向 政治 工会 国籍 残疾 種族 性別 工會 國籍 殘疾"
    ),
    _("police, border or public places (Art. 5(1)(d), (h))"): (
        "police* crime* criminal* offender* suspect* prison* detainee* border* asylum* migration* "
        "surveil* cctv street* station* airport* crowd* passer* "
        "polizei* straftat* verdacht* gefangnis* haftling* grenz* asyl* uberwach* ueberwach* "
        "bahnhof* flughafen* offentlich* passant* "
        "policia policial* delito* delincuen* sospechos* carcel* frontera* asilo* migracion* vigilancia* "
        "calle calles estacion* aeropuerto* multitud* transeunte* "
        "警察 公安 犯罪 嫌疑 监狱 边境 难民 监控 街道 车站 机场 人群 監獄 邊境 難民 監控 車站 機場"
    ),
    _("a decision about a person or who they are (Art. 22, Art. 5(1)(h))"): (
        "score* scoring rank* eligib* dismiss* promotion* credit* insur* disciplinary identif* "
        "recogni* biometric* "
        "bewertung* rangliste* eignung* kundig* beforder* kredit* versicher* disziplinar* "
        "identifizier* wiedererkenn* biometrisch* "
        "puntua* clasifica* despid* ascenso* credito* seguro* disciplinari* identifica* reconoc* "
        "biometric* "
        "评分 打分 排名 解雇 晋升 信贷 保险 身份识别 人脸识别 評分 排名 解僱 晉升 信貸 保險 人臉識別"
    ),
}
CJK = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True)
class Found:
    """A word that asks to look again: where it stands, the word as it was written, and why."""

    field: str | Promise
    word: str
    concern: str | Promise


def plain(text: str) -> str:
    """The text for comparing: compatibility forms, no accents, no invisible characters, no case."""
    spread = unicodedata.normalize("NFKD", text)
    kept = (c for c in spread if unicodedata.category(c) not in {"Mn", "Cf"})
    return "".join(kept).casefold()


@cache
def pattern(words: str) -> re.Pattern[str]:
    """One expression for a list of words; Chinese has no spaces, so there a part of a word counts."""
    found = []
    for word in words.split():
        if CJK.search(word):
            found.append(re.escape(plain(word)))
        else:
            ending = r"\w*" if word.endswith("*") else ""
            found.append(rf"\b{re.escape(plain(word.rstrip('*')))}{ending}\b")
    return re.compile("|".join(found))


def words_in(field: str | Promise, text: str) -> list[Found]:
    """The words of one text, each once for each concern."""
    searched = plain(text)
    found = []
    for concern, words in WORDS.items():
        hits = dict.fromkeys(match[0] for match in pattern(words).finditer(searched))
        found += [Found(field, word, concern) for word in hits]
    return found


def look_again(purpose: Purpose) -> list[Found]:
    """What the reviewer must look at again before opening this purpose; empty when nothing stands out.

    Notices are left out: a good one says what is *not* done, in these very words.
    """
    texts = [
        (_("Name"), purpose.name),
        (_("What it is for"), purpose.description),
        (_("Why it takes faces"), purpose.necessity),
        (_("Whose faces"), purpose.people),
        (_("Recipients"), purpose.recipients),
    ]
    return [found for field, text in texts for found in words_in(field, text)]
