from textgen.generation.signature import next_name, state_names, state_widths


def test_the_states_are_named_and_as_wide_as_the_step_has_them():
    """Each layer has an h, as wide as what it says, and a c, as wide as what it remembers."""
    shape = {"layers": 2, "lstm_state_size": 7, "num_proj": None}
    assert state_widths(shape) == {"h_0": 7, "c_0": 7, "h_1": 7, "c_1": 7}
    assert state_widths(shape | {"num_proj": 3}) == {"h_0": 3, "c_0": 7, "h_1": 3, "c_1": 7}
    assert list(state_widths({"layers": 12, "lstm_state_size": 1}))[-2:] == list(state_names(11)) == ["h_11", "c_11"]
    assert next_name("h_11") == "h_11_next"
