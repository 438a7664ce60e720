"""Words that ask for sexual pictures or name nudity: plain vocabulary in thirteen languages.

``SEXUAL`` names nudity, sexual acts and parts of the body; ``SUGGESTIVE`` what is merely meant to arouse. Together
with a minor both are refused; with a real person only the first is.

The notation is that of ``matching``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.gates.hard.matching import Language

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SEXUAL", "SUGGESTIVE"]

SEXUAL: Mapping[str, Language] = {
    "en": Language(
        terms="""
        nude, nudes, nudity, nudist*, naked, nakedness, topless, bottomless, unclothed, undressed, undressing, disrobed
        disrobing, no clothes, without clothes, without clothing, without any clothes, wearing nothing, bare breasts
        bare breasted, bare bottom, exposed breasts, exposed genitals, in the nude, birthday suit
        sex, sexes, sexual, sexually, sexualis*, sexualiz*, sexuality, hypersexual*, intercourse, coitus, porn*, hentai
        ecchi, erotic*, erotism, eroticism, lewd*, nsfw, xxx, rule34, rule 34, r18, r 18, adult content, adult only
        adults only, adult film, adult video, explicit content, explicit scene, rating explicit, rating questionable
        sexually explicit, x rated, obscene, obscenity, orgasm*, masturbat*, ejaculat*, blowjob*, blow job*, handjob*
        hand job*, fellatio, cunnilingus, oral sex, anal, deepthroat*, creampie*, cumshot*, cum, gangbang*, orgy, orgies
        threesome*, fuck*, genital*, genitalia, penis, penises, vagina*, vulva*, pussy, clitoris, labia, testicle*
        scrotum, erection, phallus, nipple, nipples, breasts, boobs, boob, tits, titties, buttocks, crotch
        pubic, fetish*, bdsm, bondage, striptease*, stripper*, incest*, molest*, rape, raped, rapes, raping, rapist*
        grope, groped, groping, pedophil*, paedophil*, pedo, csam, lolicon, shotacon, futanari, ahegao
        paizuri, bukkake, yiff
        """,
        harmless="""
        nude lipstick, nude lipsticks, nude color, nude colored, nude colors, nude colour, nude coloured, nude colours
        nude tone, nude tones, nude shade, nude shades, nude palette, nude makeup, nude make up, nude pink, nude beige
        nude nails, nude nail polish, nude heels, naked eye, naked mole rat, naked mole rats, naked truth, naked flame
        naked flames, naked tree, naked trees, naked branches, naked cake, naked bulb, naked bike, naked chef
        same sex, opposite sex, sex education, sex ed, sex male, sex female, sex m, sex f, sex discrimination
        sex ratio, sex pistols, sex equality, both sexes, battle of the sexes, rape field, rape fields, rape flower
        rape flowers, rape blossom, rape blossoms, rape oil, rape plant, cum laude, magna cum, summa cum
        chicken breasts, duck breasts, turkey breasts, breasts of chicken, blue tits, great tits, coal tits, marsh tits
        long tailed tits, bearded tits, crested tits, bottle nipple, bottle nipples, grease nipple, pussy willow
        anal fin, anal fins, pussy willows, pussy cat, pussy riot
        """,
    ),
    "de": Language(
        terms="""
        nackt*, nackig*, unbekleidet*, entkleidet*, ausgezogen*, oben ohne, ohne kleidung, ohne kleider, sexuell*
        porno*, erotik*, erotisch*, geschlechtsverkehr, geschlechtsteil*, geschlechtsakt, brustwarze*, bruste, brueste
        masturb*, orgasmus, unzuchtig*, unzuechtig*, obszon*, obszoen*, aktfoto*
        """,
        harmless="nacktschnecke*, nacktmull*",
    ),
    "fr": Language(
        terms="""
        nue, nues, tout nu, tous nus, toute nue, corps nu, corps nus, homme nu, hommes nus, entierement nu, a moitie nu
        completement nu, nu integral, mise a nu, nudite, denud*, deshabill*, devetu*, sans vetement*, sexe, sexes
        sexuel*, erotique*, erotisme, porno*, seins nus, poitrine nue, genital*, orgasme, masturb*, obscene*, lubrique
        """,
        harmless="""
        epaules nues, epaule nue, mains nues, main nue, jambes nues, tete nue, oeil nue, beau sexe, branches nues
        """,
    ),
    "es": Language(
        terms="""
        desnud*, sin ropa, en cueros, sexo, sexual, sexuales, erotic*, porno*, tetas, pechos, genitales, masturb*
        orgasmo, coito, follar, follando, obscen*, semidesnud*
        """,
        harmless="igualdad de sexo, mismo sexo",
    ),
    "it": Language(
        terms="""
        nudo, nuda, nudi, nudita, seminud*, spogliat*, svestit*, senza vestiti, sesso, sessual*, erotic*, porno*
        seno nudo, genitali, masturb*, orgasmo, coito, oscen*
        """,
        harmless="piedi nudi, a mani nude, occhio nudo, mani nude",
    ),
    "pt": Language(
        terms="""
        nua, nuas, homem nu, corpo nu, completamente nu, nudez, pelado, pelados, pelada, peladas, despid*, seminu*
        sem roupa, sem roupas, sexo, sexual, sexuais, erotic*, porno*, seios, genitais, masturb*, orgasmo, coito, obscen*
        """,
    ),
    "nl": Language(
        terms="""
        naakt*, bloot, blote, ontkleed*, uitgekleed*, zonder kleren, zonder kleding, seks*, seksueel, seksuele, sexueel
        erotisch*, erotiek, porno*, geslachtsdeel, geslachtsdelen, masturb*, orgasme, tepels, borsten
        """,
        harmless="blote voeten, blote oog, blote handen, blote armen",
    ),
    "pl": Language(
        terms="""
        nagie, nagich, nagim, nagiej, nagosc*, naga kobieta, nagi mezczyzna, nagie ciało, całkiem naga, całkiem nagi
        zupełnie naga, zupełnie nagi, połnagi*, polnag*, rozebran*, obnazon*, bez ubrania, bez ubran, seks*, erotyczn*
        erotyk*, porno*, genitali*, masturb*, orgazm*, piersi
        """,
        harmless="gołym okiem",
    ),
    "ru": Language(
        terms="""
        голый, голая, голое, голые, голого, голой, голую, голых, голым, голыми, голышом, обнажен*, нагой, нагая, нагие
        нагишом, полуголы*, полуобнажен*, раздет*, без одежды, ню, секс, секса, сексом, сексуальн*, порно*, эротик*
        эротич*, гениталии, гениталий, половой акт, полового акта, мастурб*, оргазм*, соски, интимные места, похабн*
        """,
    ),
    "ar": Language(
        terms="""
        عار, عاري, عارية, عاريات, عراة, عراه, عري, بدون ملابس, بلا ملابس, جنسي, جنسيا, ممارسة الجنس, اباحي, اباحية
        اباحيات, بورنو, سكس, اعضاء تناسلية, شهواني, شهوانية, ثديين
        """,
    ),
    "zh ja ko": Language(
        inside="""
        裸体 裸體 全裸 半裸 裸照 裸女 裸男 裸露 赤裸(?!裸) 裸身 赤身裸 色情 情色 性爱 性愛 性交 做爱 做愛 性行为 性行為 淫 乳头 乳頭
        阴道 陰道 阴茎 陰莖 生殖器 阴部 陰部 自慰 手淫 脱光 脫光 一丝不挂 一絲不掛 没穿衣服 沒穿衣服 不穿衣服 成人内容 成人內容
        成人影片 成人视频 三级片 春宫 春宮 黄片 露点 露點 強姦 强奸
        裸婦 ヌード(?!ル) ポルノ (?<![\\u30a0-\\u30ff])エロ(?!イカ) エッチ(?!ング) セックス (?<![\\u4e00-\\u9fff])性的 おっぱい 乳首 巨乳
        素っ裸 真っ裸 裸の(?!王様|大将) 猥褻 わいせつ 性器 オナニー アダルト 成人向け 春画 下着姿
        누드 나체 알몸 벌거벗 포르노 섹스 성관계 성행위 에로틱 야동 음란 외설 전라(?!도|북|남) 옷을?벗은 (?<![가-힣])성기(?!사) 자위(?!대|권)
        강간 젖꼭지
        """,
    ),
}
"""By language; what is matched inside texts stands together for Chinese, Japanese and Korean."""

SUGGESTIVE: Mapping[str, Language] = {
    "en": Language(
        terms="""
        sexy, sexier, sexiest, sexily, sensual, sensually, seductive*, seduction, seducing, suggestive pose
        suggestive poses, provocative pose, provocative poses, provocatively, lingerie, panties, negligee, aroused
        arousing, arousal, lustful*, voluptuous, busty, slutty, slut, sluts, kinky, horny, thirst trap, spread legs
        legs spread, cleavage, scantily clad, micro bikini, panty shot, pantyshot*
        """,
    ),
    "de": Language(terms="aufreizend*, lasziv*, verfuhrerisch*, verfuehrerisch*, reizwasche, reizwaesche, dessous"),
    "fr": Language(terms="sensuel*, aguich*, seducteur, seductrice, lascif, lascive, petite culotte"),
    "es": Language(terms="sensual*, provocativ*, lenceria, lasciv*"),
    "it": Language(terms="sensual*, provocant*, seducent*, lasciv*, intimo sexy"),
    "pt": Language(terms="sensual*, provocante*, sedutor*, lasciv*, roupa intima"),
    "nl": Language(terms="sensueel, sensuele, verleidelijk*, opwindend*, wulps*"),
    "pl": Language(terms="zmysłow*, uwodziciel*, wyuzdan*, bielizn*, koronkowa bielizna"),
    "ru": Language(terms="сексапил*, соблазнительн*, эротичн*, нижнем белье, нижнее белье, похотлив*, развратн*"),
    "ar": Language(terms="مثير جنسيا, مثيرة جنسيا, ملابس داخلية, اغراء, اغرائية"),
    "zh ja ko": Language(
        inside="性感 诱惑 誘惑 挑逗 內衣 内衣 セクシー 官能 淫ら 色っぽい 下着 섹시 야한 선정적 란제리 속옷 관능",
    ),
}
"""By language, as above."""
