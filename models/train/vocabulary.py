"""The words and colours of the drawn world: every kind, terrain, time of day, weather and hue, with their synonyms."""

from typing import Final, NamedTuple

RGB = tuple[float, float, float]


class Kind(NamedTuple):
    """How one object kind is called, how wide it is per unit of height, how tall it stands and where."""

    names: tuple[str, ...]
    aspect: float
    height: float
    place: str  # "ground", "water" or "air"


class Terrain(NamedTuple):
    """How one terrain is called as a place to stand on, as a thing seen from above, and alone."""

    on: tuple[str, ...]
    over: tuple[str, ...]
    alone: tuple[str, ...]


COLOURS: Final[dict[str, RGB]] = {
    "red": (0.84, 0.10, 0.10),
    "orange": (0.98, 0.52, 0.05),
    "yellow": (0.98, 0.86, 0.12),
    "green": (0.12, 0.62, 0.20),
    "blue": (0.12, 0.30, 0.86),
    "purple": (0.52, 0.14, 0.70),
    "pink": (0.98, 0.50, 0.72),
    "white": (0.95, 0.95, 0.95),
}

COLOUR_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "red": ("red", "red", "red", "crimson", "scarlet"),
    "orange": ("orange", "orange", "orange", "bright orange"),
    "yellow": ("yellow", "yellow", "yellow", "golden"),
    "green": ("green", "green", "green", "emerald"),
    "blue": ("blue", "blue", "blue", "bright blue"),
    "purple": ("purple", "purple", "purple", "violet"),
    "pink": ("pink", "pink", "pink", "rosy"),
    "white": ("white", "white", "white", "snow white"),
}

KINDS: Final[dict[str, Kind]] = {
    "house": Kind(("house", "house", "cottage", "home"), 1.10, 0.42, "ground"),
    "church": Kind(("church", "church", "chapel"), 0.95, 0.50, "ground"),
    "castle": Kind(("castle", "castle", "fortress"), 1.15, 0.44, "ground"),
    "tower": Kind(("tower", "stone tower"), 0.42, 0.50, "ground"),
    "lighthouse": Kind(("lighthouse",), 0.42, 0.54, "ground"),
    "windmill": Kind(("windmill", "windmill", "mill"), 0.90, 0.50, "ground"),
    "tent": Kind(("tent", "tent", "camping tent"), 1.25, 0.34, "ground"),
    "pyramid": Kind(("pyramid",), 1.45, 0.38, "ground"),
    "igloo": Kind(("igloo",), 1.40, 0.32, "ground"),
    "tree": Kind(("tree", "tree", "leafy tree", "oak"), 0.85, 0.50, "ground"),
    "pine": Kind(("pine", "pine tree", "fir tree", "christmas tree"), 0.66, 0.50, "ground"),
    "palm": Kind(("palm tree", "palm", "palm"), 0.85, 0.50, "ground"),
    "cactus": Kind(("cactus",), 0.70, 0.44, "ground"),
    "flower": Kind(("flower", "flower", "blossom"), 0.68, 0.46, "ground"),
    "mushroom": Kind(("mushroom", "toadstool"), 0.95, 0.38, "ground"),
    "snowman": Kind(("snowman",), 0.66, 0.46, "ground"),
    "car": Kind(("car", "car", "automobile"), 1.90, 0.26, "ground"),
    "bus": Kind(("bus", "bus", "coach"), 1.90, 0.30, "ground"),
    "truck": Kind(("truck", "truck", "lorry"), 1.70, 0.32, "ground"),
    "tractor": Kind(("tractor",), 1.30, 0.34, "ground"),
    "rocket": Kind(("rocket", "rocket", "spaceship"), 0.52, 0.54, "ground"),
    "robot": Kind(("robot", "robot", "android"), 0.66, 0.46, "ground"),
    "cat": Kind(("cat", "cat", "kitten"), 0.85, 0.40, "ground"),
    "rabbit": Kind(("rabbit", "rabbit", "bunny"), 0.66, 0.42, "ground"),
    "sheep": Kind(("sheep", "lamb"), 1.30, 0.32, "ground"),
    "umbrella": Kind(("umbrella", "parasol"), 1.05, 0.44, "ground"),
    "sailboat": Kind(("sailboat", "boat", "boat", "sailing boat"), 0.95, 0.46, "water"),
    "ship": Kind(("ship", "ship", "steamer"), 1.60, 0.34, "water"),
    "duck": Kind(("duck", "rubber duck"), 1.05, 0.34, "water"),
    "whale": Kind(("whale",), 1.60, 0.30, "water"),
    "balloon": Kind(("hot air balloon", "balloon", "balloon", "hot-air balloon"), 0.76, 0.46, "air"),
    "bird": Kind(("bird", "bird", "seagull"), 1.60, 0.26, "air"),
    "kite": Kind(("kite",), 0.74, 0.46, "air"),
    "airplane": Kind(("airplane", "plane", "aeroplane"), 1.90, 0.25, "air"),
    "butterfly": Kind(("butterfly",), 1.15, 0.36, "air"),
    "ufo": Kind(("ufo", "flying saucer"), 1.80, 0.25, "air"),
}

PLURALS: Final[dict[str, str]] = {
    "church": "churches",
    "cactus": "cacti",
    "bus": "buses",
    "sheep": "sheep",
    "fortress": "fortresses",
    "butterfly": "butterflies",
    "lorry": "lorries",
    "snowman": "snowmen",
    "bunny": "bunnies",
    "coach": "coaches",
}

TERRAINS: Final[dict[str, Terrain]] = {
    "hills": Terrain(
        ("on green hills", "on green hills", "on rolling hills", "on a grassy hill", "in the hills"),
        ("over green hills", "above the hills", "over rolling hills"),
        ("green hills", "rolling hills", "grassy hills"),
    ),
    "mountains": Terrain(
        ("in the mountains", "in front of snowy mountains", "below high mountains", "with mountains behind"),
        ("over the mountains", "above snowy mountains", "in front of mountains"),
        ("high mountains", "snowy mountains", "mountain peaks"),
    ),
    "sea": Terrain(
        ("on the sea", "in the ocean", "at sea", "on the blue sea"),
        ("over the sea", "above the ocean", "over the blue sea"),
        ("the open sea", "the ocean", "a calm sea"),
    ),
    "desert": Terrain(
        ("in the desert", "in a sandy desert", "among dunes", "on desert sand dunes"),
        ("over the desert", "above the dunes", "over desert sand dunes"),
        ("a sandy desert", "the desert", "desert dunes"),
    ),
    "city": Terrain(
        ("in the city", "in a big city", "on a city street", "in front of skyscrapers", "in the town"),
        ("over the city", "above the skyline", "over a big city"),
        ("a big city", "a city skyline", "city skyscrapers"),
    ),
    "forest": Terrain(
        ("in the forest", "in the woods", "at the edge of a forest", "in a dark forest"),
        ("over the forest", "above the woods", "over a forest"),
        ("a forest", "the woods", "a dark forest"),
    ),
    "snow": Terrain(
        ("in the snow", "on a snowy plain", "on snow fields", "in the arctic"),
        ("over the snow", "above a snowy plain", "over snow fields"),
        ("a snowy plain", "white snow fields", "an arctic plain"),
    ),
    "beach": Terrain(
        ("on the beach", "on a sandy beach", "by the sea shore", "at the seaside"),
        ("over the beach", "above a sandy beach", "over the sea shore"),
        ("a sandy beach", "the beach", "a sea shore"),
    ),
    "canyon": Terrain(
        ("in the canyon", "in a red canyon", "among red rocks", "in a rocky canyon"),
        ("over the canyon", "above red rocks", "over a red canyon"),
        ("a red canyon", "red rocks", "a rocky canyon"),
    ),
    "fields": Terrain(
        ("in the fields", "on a farm", "in a field of wheat", "on golden fields", "on farmland"),
        ("over the fields", "above farmland", "over golden fields"),
        ("golden fields", "farmland", "a field of wheat"),
    ),
}

TIMES: Final[dict[str, tuple[str, ...]]] = {
    "day": ("at noon", "during the day", "in daylight", "on a bright day", "at midday", "by day"),
    "sunset": ("at sunset", "at sunset", "at dusk", "in the evening", "at sundown"),
    "night": ("at night", "at night", "at midnight", "by night", "under the stars"),
    "dawn": ("at dawn", "at dawn", "at sunrise", "in the early morning", "at daybreak"),
}

WEATHERS: Final[dict[str, tuple[str, ...]]] = {
    "clear": ("under a clear sky", "with a cloudless sky", "in clear weather"),
    "cloudy": ("with clouds", "under a cloudy sky", "with white clouds", "in cloudy weather"),
    "rain": ("in the rain", "in rainy weather", "while it rains"),
    "snowfall": ("while it snows", "with falling snow", "in a snowfall"),
    "fog": ("in the fog", "in the mist", "in foggy weather"),
}

BODIES: Final[dict[str, tuple[str, ...]]] = {
    "none": (),
    "sun": ("with the sun in the sky", "with a big sun", "and the sun"),
    "moon": ("with a full moon", "under the moon", "and the moon"),
}

COUNT_WORDS: Final[dict[int, tuple[str, ...]]] = {
    1: ("a", "a", "one"),
    2: ("two", "two", "a pair of"),
    3: ("three",),
}
