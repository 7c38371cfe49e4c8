from textgen.generation.signature import next_name, state_names, state_widths


def test_names_and_widths_of_the_states():
    """Each layer has a state h of its output's width and a state c of its cell state's width."""
    shape = {"layers": 2, "lstm_state_size": 7, "num_proj": None}
    assert state_widths(shape) == {"h_0": 7, "c_0": 7, "h_1": 7, "c_1": 7}
    assert state_widths(shape | {"num_proj": 3}) == {"h_0": 3, "c_0": 7, "h_1": 3, "c_1": 7}
    assert list(state_widths({"layers": 12, "lstm_state_size": 1}))[-2:] == list(state_names(11)) == ["h_11", "c_11"]
    assert next_name("h_11") == "h_11_next"
