"""Newton and the saddles: runs with --quick, prints what it says, and writes a PNG."""


def test_runs_quickly_and_shows_its_numbers(quick):
    said = quick("newton_and_saddles.py")
    assert "saddle (eigenvalues -2.000 to +2.000)" in said and "minimum   6" in said
