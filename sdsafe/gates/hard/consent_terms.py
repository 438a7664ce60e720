"""Words that say that a picture shows a real person, or somebody who did not agree.

``CONSENT`` decides nothing alone: many pictures show real people. ``NONCONSENSUAL`` names intimate pictures made
without consent as such, so that it stands for both halves.

The notation is that of ``matching``.
"""
# ruff: noqa: RUF001 - letters of other scripts are the content of this module

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.gates.hard.matching import Language

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONSENT", "NONCONSENSUAL"]

CONSENT: Mapping[str, Language] = {
    "en": Language(
        terms="""
        without consent, without her consent, without his consent, without their consent, without any consent
        without permission, without her permission, without his permission, without their permission
        without her knowledge, without his knowledge, without their knowledge, without knowing, nonconsensual*
        non consensual*, unconsensual*, did not consent, didn t consent, does not consent, doesn t consent
        secretly filmed, secretly photographed, secretly recorded, secretly taken, hidden camera, hidden cameras
        hidden cam, spy cam, spycam*, spy camera, leaked, deepfake*, deep fake*, deepnude*, face swap*, faceswap*
        a real person, real person, real persons, real people, real celebrity, celebrity, celebrities
        my ex, my ex girlfriend, my ex boyfriend, my ex wife, my ex husband, my coworker*, my co worker*, my colleague*
        my boss, my neighbor*, my neighbour*, my teacher, my professor, my classmate*, my student, my students
        """,
    ),
    "de": Language(
        terms="""
        ohne einwilligung, ohne ihre einwilligung, ohne zustimmung, ohne ihre zustimmung, ohne seine zustimmung
        ohne ihr wissen, ohne sein wissen, heimlich gefilmt, heimlich fotografiert, versteckte kamera
        versteckter kamera, meine ex, meine exfreundin, meine kollegin, meine nachbarin, echte person, promi, promis
        """,
    ),
    "fr": Language(
        terms="""
        sans consentement, sans son consentement, sans leur consentement, a son insu, a leur insu, camera cachee
        mon ex, ma collegue, ma voisine, personne reelle, celebrite, celebrites
        """,
    ),
    "es": Language(
        terms="""
        sin consentimiento, sin su consentimiento, sin su permiso, sin que lo sepa, camara oculta, mi ex, mi vecina
        mi companera, persona real, famosa, famosas, celebridad
        """,
    ),
    "it": Language(
        terms="""
        senza consenso, senza il suo consenso, a sua insaputa, telecamera nascosta, la mia ex, la mia collega
        la mia vicina, persona reale, celebrita
        """,
    ),
    "pt": Language(
        terms="""
        sem consentimento, sem o consentimento, sem o seu consentimento, sem permissao, camera escondida, camara oculta
        minha ex, minha colega, minha vizinha, pessoa real, celebridade
        """,
    ),
    "nl": Language(
        terms="""
        zonder toestemming, zonder haar toestemming, zonder zijn toestemming, buiten haar medeweten, verborgen camera
        mijn ex, mijn collega, mijn buurvrouw, echt persoon, bekende nederlander
        """,
    ),
    "pl": Language(
        terms="""
        bez zgody, bez jej zgody, bez jego zgody, bez jej wiedzy, ukryta kamera, ukrytą kamerą, moja byla, moja była
        prawdziwa osoba, celebrytka
        """,
    ),
    "ru": Language(
        terms="""
        без согласия, без ее согласия, без его согласия, без ее ведома, скрытая камера, скрытой камерой, скрытую камеру
        дипфейк*, моя бывшая, моей бывшей, реальный человек, реального человека, знаменитост*
        """,
    ),
    "ar": Language(terms="بدون موافقة, دون موافقة, بدون موافقتها, دون موافقتها, دون علمها, كاميرا خفية, شخص حقيقي"),
    "zh ja ko": Language(
        inside="""
        未经同意 未經同意 未经(?:她|他)同意 偷拍 換臉 换脸 深度伪造 深度偽造 前女友 前男友 真实人物 明星
        盗撮 無断で 同意なし 同意のない 同意なく ディープフェイク 隠し撮り 元カノ 実在の人物 芸能人
        동의없이 동의하지않은 몰래카메라 몰카 불법촬영 딥페이크 전여친 실존인물 연예인
        """,
    ),
}
"""By language; what is matched inside texts stands together for Chinese, Japanese and Korean."""

NONCONSENSUAL: Mapping[str, Language] = {
    "en": Language(
        terms="""
        revenge porn*, nudify*, nudified, nudifier*, deepnude*, upskirt*, down blouse, downblouse*, creepshot*
        undress her, undress him, undress them, undress this person, undress this woman, undress this man
        undress the woman, undress the man, remove her clothes, remove his clothes, remove their clothes
        remove her clothing, remove his clothing, remove their clothing, remove the clothes of this person
        """,
    ),
    "de": Language(terms="rachepornos, racheporno, rachepornografie, zieh sie aus, ihre kleider entfernen"),
    "fr": Language(terms="deshabille la, deshabillez la, enlever ses vetements, enleve ses vetements"),
    "es": Language(terms="porno vengativo, desnudala, quitale la ropa, quitarle la ropa"),
    "it": Language(terms="spogliala, togli i suoi vestiti, toglile i vestiti, porno vendetta"),
    "pt": Language(terms="pornografia de vinganca, remova as roupas dela, tire a roupa dela"),
    "nl": Language(terms="wraakporno, kleed haar uit, verwijder haar kleren"),
    "ru": Language(terms="раздень ее, раздеть ее, убери ее одежду"),
    "zh ja ko": Language(inside="脱掉她的衣服 脫掉她的衣服 一键脱衣 リベンジポルノ 服を脱がせて 리벤지포르노 옷을벗겨"),
}
"""By language, as above."""
