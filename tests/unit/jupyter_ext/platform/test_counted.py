from jupyter_ext.platform.counted import counted


def test_one_is_singular():
    assert [counted(number, "kernel") for number in (0, 1, 2)] == [
        "0 kernels",
        "1 kernel",
        "2 kernels",
    ]
