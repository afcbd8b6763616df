from softhash.text import first_few


def test_five_names_are_shown_and_that_there_are_more() -> None:
    assert first_few([]) == ""
    assert first_few(["a", "b", "c", "d", "e"]) == "a, b, c, d, e"
    assert first_few(iter("abcdef")) == "a, b, c, d, e, ..."


def test_what_is_no_text_can_be_written_all_the_same() -> None:
    assert first_few(["Größe.jpg", "caf\udce9.jpg"]) == r"Größe.jpg, caf\udce9.jpg"
