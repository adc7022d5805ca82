"""Chinese names in pinyin without tones, and the facts about surnames and syllables that this takes.

ü is spelled v (吕 is lv), as most people do in an e-mail address.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_COMPOUND_SURNAMES = (
    "欧阳 司马 诸葛 上官 皇甫 令狐 司徒 司空 东方 独孤 慕容 公孙 夏侯 尉迟 长孙 宇文 端木 百里 南宫 "
    "西门 申屠 淳于 澹台 濮阳 万俟 轩辕 呼延 钟离 鲜于 闻人 太史 赫连 拓跋 完颜 歐陽 司馬 諸葛 東方 "
    "獨孤 公孫 尉遲 長孫 南宮 西門 軒轅 鍾離 鮮于 聞人 赫連"
)
COMPOUND_SURNAMES = frozenset(_COMPOUND_SURNAMES.split())
# Characters that are read in another way when they are a surname.
_READ_AS_SURNAMES = (
    "单shan 單shan 曾zeng 仇qiu 解xie 区ou 區ou 查zha 朴piao 盖ge 蓋ge 洗xian 黑he 繁po 覃qin 缪miao 繆miao "
    "种chong 種chong 员yun 員yun 祭zhai 么yao 乜nie 召shao 秘bi 翟zhai 折she 钭tou 能nai 都du"
)
_SURNAME_READINGS = {
    **{pair[0]: pair[1:] for pair in _READ_AS_SURNAMES.split()},
    **{
        "长孙": "zhangsun",
        "長孫": "zhangsun",
        "尉迟": "yuchi",
        "尉遲": "yuchi",
        "万俟": "moqi",
        "澹台": "tantai",
    },
}
# Characters whose first reading in the dictionary is not the one of given names.
_GIVEN_READINGS = {"长": "chang", "長": "chang", "晟": "sheng", "曾": "zeng"}

_COMMON_SURNAMES = (
    "wang li zhang liu chen yang huang zhao wu zhou xu sun ma zhu hu guo he lin gao luo zheng liang xie song "
    "tang han feng deng cao peng zeng xiao tian dong pan yuan cai jiang yu du ye cheng wei su lv ding ren lu "
    "yao shen zhong cui tan fan liao shi jin jia xia fu fang bai zou meng xiong qin qiu hou yan gu lei long "
    "shao mao hao gong chang wan qian dai kong xue tao duan mo qiao kang niu qi mei ge pang"
)
COMMON_SURNAMES = tuple(_COMMON_SURNAMES.split())
"""In pinyin, about the most frequent first: of two words that can be the surname the earlier one here is."""

_FINALS = """
- a ai an ang ao e ei en eng er o ou
b a ai an ang ao ei en eng i ian iao ie in ing o u
p a ai an ang ao ei en eng i ian iao ie in ing o ou u
m a ai an ang ao e ei en eng i ian iao ie in ing iu o ou u
f a an ang ei en eng o ou u
d a ai an ang ao e ei en eng i ia ian iao ie ing iu ong ou u uan ui un uo
t a ai an ang ao e eng i ian iao ie ing ong ou u uan ui un uo
n a ai an ang ao e ei en eng i ian iang iao ie in ing iu ong ou u uan uo v ve
l a ai an ang ao e ei eng i ia ian iang iao ie in ing iu ong ou u uan un uo v ve
g a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo
k a ai an ang ao e en eng ong ou u ua uai uan uang ui un uo
h a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo
j i ia ian iang iao ie in ing iong iu u uan ue un
q i ia ian iang iao ie in ing iong iu u uan ue un
x i ia ian iang iao ie in ing iong iu u uan ue un
zh a ai an ang ao e en eng i ong ou u ua uai uan uang ui un uo
ch a ai an ang ao e en eng i ong ou u ua uai uan uang ui un uo
sh a ai an ang ao e ei en eng i ou u ua uai uan uang ui un uo
r an ang ao e en eng i ong ou u uan ui un uo
z a ai an ang ao e ei en eng i ong ou u uan ui un uo
c a ai an ang ao e en eng i ong ou u uan ui un uo
s a ai an ang ao e en eng i ong ou u uan ui un uo
y a an ang ao e i in ing ong ou u uan ue un
w a ai an ang ei en eng o u
"""


def syllables() -> list[str]:
    """The syllables of standard Chinese in pinyin, without tones."""
    rows = [row.split() for row in _FINALS.strip().splitlines()]
    return [initial.strip("-") + final for initial, *finals in rows for final in finals]


SYLLABLE = f"(?:{'|'.join(syllables())})"
"""A regular expression for one syllable."""


@dataclass(frozen=True)
class Reading:
    """A Chinese name in pinyin. Family and given name are null for a name in two parts (阿依古丽·买买提)."""

    form: str
    family: str | None = None
    given: str | None = None


def read_name(han: str) -> Reading | None:
    """The pinyin of a name in Chinese characters; null if it is a surname alone, which names nobody.

    Args:
        han: Chinese characters, with `·` between the parts of a name that is transcribed.

    >>> read_name("王小明")
    Reading(form='wang xiaoming', family='wang', given='xiaoming')
    >>> read_name("欧阳锋").family
    'ouyang'
    """
    parts = [part for part in han.split("·") if part]
    if len(parts) > 1 and len(parts[0]) > 1 and parts[0] not in COMPOUND_SURNAMES:
        return Reading(" ".join(sorted("".join(map(_read, part)) for part in parts)))
    name = "".join(parts)
    surname = name[:2] if name[:2] in COMPOUND_SURNAMES else name[:1]
    given = "".join(_GIVEN_READINGS.get(character) or _read(character) for character in name[len(surname) :])
    if not given:
        return None
    family = _SURNAME_READINGS.get(surname) or "".join(map(_read, surname))
    return Reading(" ".join(sorted((family, given))), family, given)


@cache
def _read(character: str) -> str:
    from pypinyin import lazy_pinyin  # noqa: PLC0415 - slow to import

    return lazy_pinyin(character)[0]
