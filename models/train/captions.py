"""Says a scene in words: a grammar with synonyms, order variants, omissions and filler words."""

from typing import Final, NamedTuple

import numpy as np

from train.scenes import Scene, Thing
from train.vocabulary import BODIES, COLOUR_WORDS, COUNT_WORDS, KINDS, PLURALS, TERRAINS, TIMES, WEATHERS

# Fixed before training and never changed: the sample grid shows these, seeds 0 to 15, unpicked.
GRID: Final[tuple[str, ...]] = (
    "a red house on green hills at sunset",
    "a blue sailboat on the sea at noon",
    "a white lighthouse on the sea at night",
    "a yellow hot air balloon over the mountains at dawn",
    "a green cactus in the desert at sunset",
    "two orange tents in the forest at night",
    "a purple castle in the snow during the day",
    "a pink flower in the fields at dawn",
    "a white rabbit in the snow at night",
    "a red car on a city street in the evening",
    "an orange cat on the beach at sunset",
    "a blue windmill in a field of wheat on a bright day",
    "three red balloons over the canyon at sunrise",
    "a green tractor on a farm with clouds",
    "a yellow bus in a big city at night under the moon",
    "a purple rocket in the desert in the fog",
)

_PREFIXES: Final = (
    "a picture of",
    "a photo of",
    "a drawing of",
    "an illustration of",
    "a painting of",
    "a beautiful picture of",
    "an image of",
    "a view of",
    "digital art of",
    "scene:",
)
_SUFFIXES: Final = (
    "highly detailed",
    "4k",
    "digital art",
    "soft light",
    "beautiful colours",
    "masterpiece",
    "trending",
    "wide angle",
    "minimalist",
    "cinematic",
    "best quality",
)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzéüñøß0123456789"


class _Speaker:
    """Chooses words with one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def pick(self, options: tuple[str, ...]) -> str:
        return options[int(self._rng.integers(len(options)))]

    def chance(self, share: float) -> bool:
        return bool(self._rng.random() < share)

    def filler(self) -> str:
        """Return a word the model cannot know, so that unknown words do little."""
        length = int(self._rng.integers(3, 9))
        return "".join(_LETTERS[int(index)] for index in self._rng.integers(len(_LETTERS), size=length))

    def shuffled(self, parts: list[str]) -> list[str]:
        return [parts[int(index)] for index in self._rng.permutation(len(parts))]


def thing_words(thing: Thing, rng: np.random.Generator, *, coloured: bool = True) -> str:
    """Return a thing as a noun phrase: "two red houses"."""
    speak = _Speaker(rng)
    noun = speak.pick(KINDS[thing.kind].names)
    if thing.count > 1:
        head, _, last = noun.rpartition(" ")
        noun = f"{head} {PLURALS.get(last, last + 's')}".strip()
    colour = speak.pick(COLOUR_WORDS[thing.colour]) + " " if coloured else ""
    number = speak.pick(COUNT_WORDS[thing.count])
    words = f"{number} {colour}{noun}"
    return (
        f"an {words[2:]}"
        if words.startswith("a ") and words[2] in "aeiou" and not words[2:].startswith(("uf", "un"))
        else words
    )


def caption(scene: Scene, variant: int, *, plain: bool = False) -> str:
    """Return one of many captions of a scene; `plain` names colour, terrain and time and adds no filler."""
    rng = np.random.default_rng([scene.seed, 5, variant])
    speak = _Speaker(rng)
    words = thing_words(scene.main, rng, coloured=plain or not speak.chance(0.04))
    if scene.second is not None:
        words += f" {speak.pick(('with', 'and', 'next to', 'beside'))} {thing_words(scene.second, rng)}"
    terrain = TERRAINS[scene.terrain]
    air = KINDS[scene.main.kind].place == "air"
    where = speak.pick(terrain.over if air else terrain.on) if plain or not speak.chance(0.06) else ""
    when = speak.pick(TIMES[scene.time]) if plain or not speak.chance(0.08) else ""
    sky = _sky_words(scene, speak)
    parts = _Parts(words, where, when, sky, speak.pick(terrain.alone))
    text = _order(parts, speak)
    return " ".join((text if plain else _decorated(text, speak)).split())


def _sky_words(scene: Scene, speak: _Speaker) -> str:
    parts = []
    if speak.chance(0.25 if scene.weather == "clear" else 0.85):
        parts.append(speak.pick(WEATHERS[scene.weather]))
    if scene.body != "none" and speak.chance(0.5):
        parts.append(speak.pick(BODIES[scene.body]))
    return " ".join(parts)


class _Parts(NamedTuple):
    """What a caption says, in pieces; empty ones are left out."""

    words: str
    where: str
    when: str
    sky: str
    alone: str


def _order(parts: _Parts, speak: _Speaker) -> str:
    words, where, when, sky, alone = parts
    form = int(speak.chance(0.45)) + int(speak.chance(0.25))
    if form == 1 and when:
        return f"{words} {when} {where} {sky}" if speak.chance(0.5) else f"{when}, {words} {where} {sky}"
    if form == 2 and where:
        return f"{alone} {when} with {words} {sky}"
    return " ".join([words, *([where, when, sky] if speak.chance(0.8) else speak.shuffled([where, when, sky]))])


def _decorated(text: str, speak: _Speaker) -> str:
    """Add what says nothing about the picture: prefixes, suffixes, unknown words."""
    if speak.chance(0.25):
        text = f"{speak.pick(_PREFIXES)} {text}"
    if speak.chance(0.15):
        text = f"{text}, {speak.pick(_SUFFIXES)}"
    if speak.chance(0.08):
        text = f"{text} {speak.filler()}"
    return text
