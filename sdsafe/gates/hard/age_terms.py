"""Words that say that somebody is a minor: plain vocabulary in thirteen languages.

Words that name grown women at least as often as children (girl, fille, \u5973\u5b69, \u5973\u306e\u5b50) count only
together with another word: little, young, school. Whisky and castles have ages too; that is why an age alone
decides nothing.

The notation is that of ``matching``: commas separate terms, ``*`` ends a beginning of words, ``#`` stands for every
number from 0 to 17 in figures and in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.gates.hard.matching import Language

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AGE"]

_EN = Language(
    numbers="zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen",
    terms="""
    # year old, # years old, # year olds, #year old, #years old, #yearold, #yearsold, # yr old, # yrs old, #yr old
    #yrs old, # yr olds, # yo, #yo, # yos, #yos, # y o, #y o, # yrs, #yrs, # years of age, # years young
    # month old, # months old, # week old, # weeks old, month old, months old, weeks old
    age #, age of #, aged #, ages #, aged about #, aged around #, age around #
    under 18, under eighteen, below 18, below eighteen, younger than 18, younger than eighteen, not yet 18
    not 18 yet, less than 18 years, barely legal, tender age, sweet sixteen
    child, children, childs, childlike, child like, kid, kids, kiddie*, kiddo*, toddler*, infant, infants
    infantile, newborn, newborns, new born, baby, babies, babys, teen, teens, teenage, teenaged, teenager*, teenybopper*
    preteen*, pre teen, pre teens, tween, tweens, tweenage*, underage*, under age, under aged, minor, minors
    juvenile, juveniles, adolescent*, adolescence, pubescent*, prepubescent*, pre pubescent, prepuberty, puberty
    pubertal, prepubertal, youngster*, schoolboy*, schoolgirl*, schoolkid*, schoolchild*, schoolmate*, school boy
    school boys, school girl, school girls, school kid, school kids, school child, school children, school uniform
    school uniforms, school aged, school age, preschool*, pre school, pre schooler, kindergarten*, kindergart*
    nursery school, elementary school, elementary schooler*, primary school, primary schooler*, grade school
    grade schooler*, gradeschool*, middle school, middle schooler*, middleschool*, junior high, high schooler*
    highschooler*, high school student*, high school girl, high school girls, high school boy, high school boys, first grader*, second grader*
    third grader*, fourth grader*, fifth grader*, sixth grader*, seventh grader*, eighth grader*, ninth grader*
    tenth grader*, eleventh grader*, 1st grader*, 2nd grader*, 3rd grader*, 4th grader*, 5th grader*, 6th grader*
    7th grader*, 8th grader*, 9th grader*, 10th grader*, 11th grader*
    little girl, little girls, little boy, little boys, little one, little ones, little sister, little sisters, little brother, little brothers, little daughter, little son
    young girl, young girls, young boy, young boys, young daughter, young son, younger girl, younger girls, younger boy, younger boys, youngest daughter, youngest son
    very young, small girl, small girls, small boy, small boys, tiny girl, tiny girls, tiny boy, tiny boys, boy, boys, baby girl, baby girls, baby boy, baby boys
    boy scout, boy scouts, girl scout, girl scouts, cub scout, cub scouts, loli, lolis, lolita*, lolicon*, shota, shotas, shotacon*, jailbait*
    """,
    harmless="""
    kid gloves, kid leather, kid skin, billy the kid, sundance kid, karate kid, kid rock, kid cudi, goat kid
    child s pose, childs pose, destiny s child, destinys child, julia child
    baby blue, baby pink, baby oil, baby grand, baby bump, baby s breath, babys breath, sugar baby, baby yoda
    baby hair, baby hairs, ice age #
    asia minor, ursa minor, canis minor, leo minor, minor key, minor chord, minor arcana, minor scale, in a minor
    minor third, minor planet, minor detail, minor details, minor change, minor changes, minor adjustments
    boy band, boy bands, pool boy, bell boy, cabana boy, rent boy, toy boy, boy toy, boy shorts, boy short, game boy
    boy george, beach boys, beastie boys, backstreet boys, pet shop boys, oh boy, pretty boy, good old boys
    """,
)

_DE = Language(
    numbers="null ein eins zwei drei vier funf fuenf sechs sieben acht neun zehn elf zwolf zwoelf dreizehn vierzehn"
    " funfzehn fuenfzehn sechzehn siebzehn",
    terms="""
    # jahre, # jahren, # jahre alt, # jahr alt, # jahrig*, #jahrig*, # jaehrig*, #jaehrig*, # monate alt
    im alter von #, alter #, unter 18, unter achtzehn, noch nicht 18, noch nicht achtzehn
    ein kind, das kind, dem kind, des kindes, kleines kind, kleine kind, kinder, kindes, kindern, kindchen, kindlich*
    kleinkind*, saugling*, saeugling*, neugeboren*, minderjahrig*, minderjaehrig*, madchen, maedchen, madels
    schulmadchen*, schulmaedchen*, schuljunge*, schulkind*, schuler, schulerin*, schueler*, grundschul*
    kleiner junge, kleinen jungen, ein junge, der junge, kleiner bub, jugendlich*, vorpubertar*, vorpubertaer*
    heranwachsende*, knabe*, schuluniform*
    """,
)

_FR = Language(
    numbers="zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept",
    terms="""
    # ans, #ans, age de #, agee de #, moins de 18 ans, moins de dix huit ans, # mois
    enfant, enfants, enfantin*, gamin, gamins, gamine, gamines, gosse, gosses, fillette*, garconnet*, petite fille
    petites filles, petit garcon, petits garcons, garcon, garcons, jeune fille, jeunes filles, jeune garcon
    bebe, bebes, nourrisson*, nouveau ne, ados, adolescent*, preado*, mineur, mineurs, mineure, mineures, ecolier*
    ecoliere*, collegien*, lyceen*, prepuber*, impuber*, uniforme scolaire, ecole maternelle
    """,
    harmless="mineur de charbon, mineurs de charbon, mineur de fond, la mineur, re mineur, mi mineur, do mineur",
)

_ES = Language(
    numbers="cero un uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis"
    " diecisiete",
    terms="""
    # ano, # anos, #anos, # anitos, edad #, edad de #, menor de 18, menores de 18, # meses
    menor de edad, menores de edad, la nina, una nina, nina pequena, pequena nina, nina de, ninas, un nino, el nino
    nino pequeno, pequeno nino, nino de, ninos, ninita*, ninito*, ninez, chiquill*, bebe, bebes, infantil, infantiles
    preadolescente*, adolescente*, adolescencia, colegial*, escolares, uniforme escolar, quinceaner*, parvul*
    muchachit*, jovencit*, impuber*, prepuber*
    """,
)

_IT = Language(
    numbers="zero un uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici"
    " sedici diciassette",
    terms="""
    # anno, # anni, #enne, #enni, meno di 18 anni, minore di 18, minori di 18, eta di #, # mesi
    decenne, undicenne, dodicenne, tredicenne, quattordicenne, quindicenne, sedicenne, diciassettenne, dodicenni
    tredicenni, quattordicenni, quindicenni, sedicenni, diciassettenni
    bambin*, ragazzin*, bimba, bimbe, bimbi, fanciull*, neonat*, lattante, lattanti, minorenn*, adolescent*, preadolescent*
    scolaro, scolari, scolara, scolare, scolarett*, impuber*, prepuber*, uniforme scolastica
    """,
)

_PT = Language(
    numbers="zero um dois duas tres quatro cinco seis sete oito nove dez onze doze treze catorze quatorze quinze"
    " dezesseis dezasseis dezessete dezassete",
    terms="""
    # ano, # anos, #anos, idade de #, menor de 18, menores de 18, menor de idade, menores de idade
    crianca, criancas, criancinha*, menina, meninas, menino, meninos, menininh*, garotinh*, rapazinh*, bebe, bebes
    recem nascid*, adolescente*, adolescencia, pre adolescente*, infantil, infantis, colegial, colegiais
    uniforme escolar, impuber*
    """,
    harmless="las meninas",
)

_NL = Language(
    numbers="nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien"
    " zeventien",
    terms="""
    # jaar, #jaar, # jaar oud, # jarig*, #jarig*, # maanden oud, leeftijd #, onder de 18, onder de achttien, jonger dan 18
    een kind, het kind, klein kind, kinderen, kindje*, kinderlijk*, kleuter*, peuter*, baby s, tiener*, minderjarig*
    schoolmeisje*, schooljongen*, schoolkind*, scholier*, meisje, meisjes, jongetje*, jongen, jongens, puber, pubers
    basisschool*, schooluniform*
    """,
)

_PL = Language(
    numbers="jeden dwa trzy cztery piec szesc siedem osiem dziewiec dziesiec jedenascie dwanascie trzynascie"
    " czternascie pietnascie szesnascie siedemnascie jedno dwu trzy cztero piecio szescio siedmio osmio dziewiecio"
    " dziesiecio jedenasto dwunasto trzynasto czternasto pietnasto szesnasto siedemnasto",
    terms="""
    # lat, # lata, # rok, # roku, # letni*, #letni*, # latek, #latek, #latk*, # latk*, ponizej 18 lat
    dziecko, dziecka, dziecku, dzieckiem, dzieci, dzieciom, dziecmi, dziecieca, dzieciec*, dzieciak*, dziewczynk*
    dziewczynek, chłopiec, chłopc*, chłopczyk*, niemowl*, nastolat*, nieletni*, małoletni*, niepełnoletni*
    uczennic*, uczen, ucznia, uczniem, uczniowie, przedszkol*, podlotek, podlotk*, mundurek szkolny
    """,
)

_RU = Language(
    numbers="один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать четырнадцать"
    " пятнадцать шестнадцать семнадцать одно двух трех четырех пяти шести семи восьми девяти десяти одиннадцати"
    " двенадцати тринадцати четырнадцати пятнадцати шестнадцати семнадцати",
    terms="""
    # лет, # год, # года, # годик*, # годов*, # летн*, #летн*, # летие, возраст #, возраста # лет, до 18 лет, младше 18
    моложе 18, не достигш*
    ребенок, ребенка, ребенку, ребенком, ребенке, ребятиш*, ребятен*, дети, детей, детям, детьми, детях, детск*, детишк*
    малыш*, младенец, младенц*, девочк*, девочек, девчонк*, девчушк*, мальчик*, мальчишк*, пацан*, подрост*
    несовершеннолетн*, малолет*, школьни*, школьная форма, школьной форме, дошколь*, тинейджер*
    """,
)

_AR = Language(
    numbers="ثلاث اربع خمس ست سبع ثماني تسع عشر ثلاثة اربعة خمسة ستة سبعة ثمانية تسعة عشرة",
    terms="""
    # سنة, # سنوات, # سنين, # عام, # عاما, # اعوام, عمرها #, عمره #, عمر #, عمره سنة, عمرها سنة, عمره سنتين, عمرها سنتين, دون 18, تحت 18
    احدى عشرة سنة, اثنتي عشرة سنة, اثنتا عشرة سنة, اثني عشر عاما, احد عشر عاما, # عشرة سنة, # عشر عاما
    طفل, طفلة, اطفال, طفولة, طفولي, رضيع, رضيعة, قاصر, قاصرة, قاصرات, مراهق, مراهقة, مراهقين, مراهقات, صبي, صبية
    صبيان, اولاد, فتاة صغيرة, بنت صغيرة, ولد صغير, تلميذ, تلميذة, تلاميذ, طالبة مدرسة, زي مدرسي, دون السن القانونية
    """,
)

_ZH_JA_KO = Language(
    # Patterns, matched anywhere: these scripts do not separate words, or hang particles on them.
    inside="""
    (?<![\\d.])(?:0?\\d|1[0-7])(?:岁|歲|歳|才(?!能)|周岁|个月大|個月大|か月|ヶ月)
    (?<![一二三四五六七八九十百千〇零\\d])(?:十[一二三四五六七]?|[一二三四五六七八九])(?:岁|歲|歳)
    (?<!\\d)(?:0?\\d|1[0-7])(?:살|세(?!기|대|트|계))
    (?<![물른흔쉰순든열])(?:열(?:한|두|세|네|다섯|여섯|일곱)?|한|두|세|네|다섯|여섯|일곱|여덟|아홉)살
    (?:未满|未滿|不满|不滿|小于|小於)(?:18|十八) 18岁以下 18歲以下 18歳未満 十八歳未満 18세미만 (?<!\\d)10代 10대 十代 십대
    儿童 兒童 孩子 小孩 孩童 幼童 幼女 幼儿 幼兒 婴儿 嬰兒 婴幼 女童 男童 女婴 男婴 女嬰 男嬰 小女孩 小男孩 小姑娘 男孩
    未成年 青少年 少年 少女 萝莉 蘿莉 正太 学童 學童 小学生 小學生 初中生 中学生 中學生 高中生 幼儿园 幼兒園 幼稚园 幼稚園
    宝宝 寶寶 校服
    子供 子ども こども 児童 幼児 園児 乳児 赤ちゃん 赤ん坊 思春期 高校生 女子高生 男子高生 男の子 小さな女の子 小さい女の子
    幼い ランドセル 学生服 セーラー服 (?<![\\u30a0-\\u30ff])ロリ(?![ポッ]) (?<![\\u30a0-\\u30ff])ショタ ティーンエイジャー
    어린이 어린아이 아동 유아 소년 소녀 미성년 초등학생 중학생 고등학생 초딩 중딩 고딩 여고생 남고생 여중생 남중생 청소년
    아기(?!자기) 여자아이 남자아이 꼬마 (?<![가-힣])로리 (?<![가-힣])쇼타 유치원 교복 갓난
    """,
)

AGE: Mapping[str, Language] = {
    "en": _EN,
    "de": _DE,
    "fr": _FR,
    "es": _ES,
    "it": _IT,
    "pt": _PT,
    "nl": _NL,
    "pl": _PL,
    "ru": _RU,
    "ar": _AR,
    "zh ja ko": _ZH_JA_KO,
}
"""By language; what is matched inside texts stands together for Chinese, Japanese and Korean."""
