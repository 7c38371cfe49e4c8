import pytest

from textgen.cli.sample_output import in_turn
from textgen.generation import Sample


def interleave(texts, first_seed=5, ended_early=()):
    """Yields texts as a generator does: a character of each in turn, each text ending with its last character.

    Those ended early have their reason a round before their last, empty piece comes, as the copy guard leaves them.
    """
    samples = [Sample("", first_seed + number) for number in range(len(texts))]
    for place in range(max(map(len, texts))):
        for number in ended_early:
            if place == len(texts[number]) - 1:
                samples[number].finish_reason = "max_copy"
        for number, (sample, text) in enumerate(zip(samples, texts, strict=True)):
            if place >= len(text):
                continue
            if number not in ended_early or place < len(text) - 1:
                sample.pieces.append(text[place])
            if place == len(text) - 1 and number not in ended_early:
                sample.finish_reason = "length"
            yield sample, sample.pieces[-1] if sample.finish_reason != "max_copy" else ""


def collect(pieces):
    """Texts by seed, in the order in which they came, each ended once and nothing behind its end."""
    texts: dict[int, str] = {}
    ended: list[int] = []
    for sample, piece in in_turn(pieces):
        assert sample.seed not in ended
        assert list(texts)[-1:] == [sample.seed] or sample.seed not in texts
        texts[sample.seed] = texts.get(sample.seed, "") + piece
        if sample.finish_reason is not None:
            ended.append(sample.seed)
    assert ended == list(texts)
    return texts


@pytest.mark.parametrize(
    "texts", [["abc"], ["abc", "defgh"], ["abcdefgh", "ij", "klmnop", "q"], ["a", "bcd", "e"], ["ab", "cd", "ef"]]
)
def test_each_text_comes_as_a_whole(texts):
    """However the texts are interleaved, all of one comes before any of the next."""
    assert collect(interleave(texts)) == dict(enumerate(texts, start=5))


@pytest.mark.parametrize("early", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_a_text_without_a_last_piece_ends_once(early):
    """Where the copy guard has ended a text, its end comes once, whether it was its turn or not."""
    texts = ["abc", "defg", "hij"]
    expected = [text[:-1] if number in early else text for number, text in enumerate(texts)]
    assert collect(interleave(texts, ended_early=early)) == dict(enumerate(expected, start=5))


def test_blocks_of_texts_follow_one_another():
    """More texts than are written side by side come in blocks; their order is that of the seeds."""

    def blocks():
        yield from interleave(["abc", "d"])
        yield from interleave(["ef", "ghi"], first_seed=7)

    assert collect(blocks()) == {5: "abc", 6: "d", 7: "ef", 8: "ghi"}


def test_the_first_text_comes_at_once():
    """A piece of the text whose turn it is waits for nothing, and those of the others for as little as can be."""
    pieces = interleave(["abc", "defgh"])
    log = []

    def logged():
        for sample, piece in pieces:
            log.append("taken " + piece)
            yield sample, piece

    for _, piece in in_turn(logged()):
        log.append("given " + piece)
    assert log[:6] == ["taken a", "given a", "taken d", "taken b", "given b", "taken e"]
    assert log[6:] == [
        "taken c",
        "given c",
        "given de",
        "taken f",
        "given f",
        "taken g",
        "given g",
        "taken h",
        "given h",
    ]
