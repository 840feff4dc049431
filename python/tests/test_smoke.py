import numpy as np

import megenginelite as lite


def test_runs(artifact):
    net = lite.LiteNetwork()
    net.load(artifact("add"))
    a = np.arange(6, dtype="float32").reshape(2, 3)
    net.get_io_tensor("a").set_data_by_copy(a)
    net.get_io_tensor("b").set_data_by_copy(a * 10)
    net.forward()
    net.wait()
    np.testing.assert_array_equal(net.get_io_tensor("sum").to_numpy(), a * 11)
    np.testing.assert_array_equal(net.get_io_tensor("scaled").to_numpy(), a * 5.5)
