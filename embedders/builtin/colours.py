"""Colour and light words in English and Chinese: what a text query asks of a picture.

The same 16 axes as the colour block of a picture, so that "a red flower" or "黑白" finds pictures that carry
no text. Pure Python: a text query works without numpy.
"""

from __future__ import annotations

import re
import unicodedata

AREAS = (
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
    "brown",
)
"""Axes that measure how much of a picture has a colour."""

MOODS = ("black-and-white", "dark", "bright", "vivid")
"""Axes that judge the picture as a whole."""

AXES = AREAS + MOODS

_ENGLISH = {
    "black": "black",
    "grey": "grey gray greyish grayish silver silvery",
    "white": "white whitish",
    "red": "red reddish scarlet crimson maroon",
    "orange": "orange orangish",
    "yellow": "yellow yellowish golden",
    "green": "green greenish olive",
    "cyan": "cyan turquoise teal aqua",
    "blue": "blue bluish navy azure",
    "purple": "purple violet lilac lavender mauve",
    "pink": "pink pinkish magenta",
    "brown": "brown brownish beige tan",
    "black-and-white": "monochrome greyscale grayscale",
    "dark": "dark night dim gloomy",
    "bright": "bright sunny sunlit",
    "vivid": "vivid colorful colourful multicolored multicoloured",
}

_HAN = {
    "black": "黑色 黑",
    "grey": "灰色 灰 银色 銀色",
    "white": "白色 白",
    "red": "红色 紅色 红 紅 赤色",
    "orange": "橙色 橙 橘色 橘红 橘黄",
    "yellow": "黄色 黃色 黄 黃 金色",
    "green": "绿色 綠色 绿 綠",
    "cyan": "青色 青绿 青綠 蓝绿 藍綠",
    "blue": "蓝色 藍色 蓝 藍",
    "purple": "紫色 紫",
    "pink": "粉色 粉红 粉紅 桃红 桃紅",
    "brown": "棕色 棕 褐色 褐 咖啡色 米色",
    "black-and-white": "黑白",
    "dark": "黑暗 昏暗 阴暗 陰暗 暗 黑夜 夜晚 夜景 夜间 夜間",
    "bright": "明亮 光亮 亮堂 阳光 陽光",
    "vivid": "鲜艳 鮮豔 艳丽 豔麗 绚丽 絢麗 彩色 五彩 五颜六色 五顏六色",
}

_NOT_COLOURS = (  # Words that hold a colour's character and mean something else.
    "明白 白天 白领 空白 坦白 白费 表白 蛋白 白银 白菜 白酒 黑客 黑板 黄河 黄昏 黄瓜 蓝牙 蓝图 "
    "红包 网红 红绿灯 红外 绿化 灰尘 灰心 棕榈 暗示 暗号"
).split()

_BLACK_AND_WHITE = re.compile(r"\bblack[\s-]*(?:and|&|n)[\s-]*white\b|\bb\s?[&/]\s?w\b")
_WORD = re.compile(r"[a-z]+")


def _by_word(lexicon: dict[str, str]) -> dict[str, str]:
    return {word: axis for axis, words in lexicon.items() for word in words.split()}


_AXIS_OF_WORD = _by_word(_ENGLISH)
_AXIS_OF_HAN = _by_word(_HAN)
_HAN_WORDS = re.compile("|".join(sorted([*_AXIS_OF_HAN, *_NOT_COLOURS], key=lambda word: (-len(word), word))))


def colour_query(text: str) -> list[float]:
    """Find the colours and the light that a text asks for.

    "Black and white" is one thing, not two colours; a Chinese word such as 黄河 (Yellow River) is no colour.

    Returns:
        16 numbers in the order of `AXES`, of unit norm; all zeros where the text names no colour.
    """
    axes = _axes(unicodedata.normalize("NFKC", text).casefold())
    height = 1.0 / len(axes) ** 0.5 if axes else 0.0
    return [height if axis in axes else 0.0 for axis in AXES]


def _axes(text: str) -> set[str]:
    rest, found = _BLACK_AND_WHITE.subn(" ", text)
    axes = {"black-and-white"} if found else set()
    axes.update(_AXIS_OF_WORD[word] for word in _WORD.findall(rest) if word in _AXIS_OF_WORD)
    axes.update(_AXIS_OF_HAN[word] for word in _HAN_WORDS.findall(rest) if word in _AXIS_OF_HAN)
    return axes
