"""Text of files in the encodings that people's programs write: what marks and declarations say, else a guess."""

from __future__ import annotations

import codecs
import json

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WESTERN = "CP1252"
# The most frequent syllables and characters whose bytes mean either: cp949's Hangul are GB 2312's first characters.
_HANGUL = frozenset(
    "이다는을의에가고하은지로한기도사자나를대서리인시어그해보있아부정일과수전상구원제소조동장만주관공성들스라면적게니비방"
    "안신경유음치개위오우거여생화등되교국민마모내발세무물학회법실연중간때말없불년강양람버트럭차새개말소파리토바닭돼나무집"
    "문길표지판신호등꽃물병컵책손발눈코입귀머얼굴정상불량결함종류명번호미분배경"
)
_HANZI = frozenset(
    "人不的大地国个和多发动成高工公分后车机飞狗马牛鸟猫花苹果红黄绿蓝灯本从出好过对法点到得的电第当都而方给何会"
    "回家见将进经开看可来老里理力两了么没美面民明那能你年女其起前情去然如海河湖火加间件建交角接结解界金近京巴白"
    "百班板包保报北被比边表别并步部才采菜草长常厂场超朝城吃冲船窗床春次村打带代单但刀道灯等低底店掉定东冬短段"
    "断队二服父付改感干刚钢哥歌根更古骨故顾关观管光广规贵黑很轮货客卡摩缺陷裂划合格类别名称编号背景苗麦稻鸡鸭"
)


def decoded(content: bytes, *, declared: str = "") -> tuple[str, str]:
    """Return the text of a file, and the encoding that was guessed, "" if the file says it or it is UTF-8.

    Bytes that are not UTF-8 are Korean (cp949), Chinese (gb18030) or Western (cp1252): whichever gives that language's
    frequent letters. `declared` is what the file says, tried first. Raises ValueError where nothing fits, LookupError
    for a declared encoding that is not known.
    """
    for mark, name in MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(name), ""
    if b"\0" in content[:4]:  # UTF-16 or UTF-32 without a mark
        return content.decode(declared or json.detect_encoding(content)), ""
    for name in dict.fromkeys((declared or "utf-8", "utf-8")):
        try:
            return content.decode(name), ""
        except UnicodeDecodeError:
            continue
    guess = _guess(content)
    return content.decode(guess), guess.upper()


def _guess(content: bytes) -> str:
    """Return the likely encoding of a text that is not UTF-8."""
    found = {}
    for name in ("cp949", "gb18030"):
        try:
            found[name] = [letter for letter in content.decode(name) if ord(letter) > 127]
        except UnicodeDecodeError:
            continue
    korean, chinese = found.get("cp949"), found.get("gb18030")
    hangul = bool(korean) and all("가" <= letter <= "힣" or ord(letter) < 0x3200 for letter in korean or ())
    if korean and hangul:
        known = sum(letter in _HANGUL for letter in korean)
        other = sum(letter in _HANZI for letter in chinese or ())
        if not chinese or known > other:
            return "cp949"
    if chinese and any("\u4e00" <= letter <= "\u9fff" for letter in chinese):
        return "gb18030"
    return "cp949" if korean and hangul else WESTERN.lower()
