"""MegEngine Lite, with its default options."""
from peers.engine import Engine
from peers.environments import MEGENGINE


class MegEngineLite(Engine):
    name = "megengine"
    reads_quantized = True
    environment = MEGENGINE
    needs_mge = True

    def load(self, model, threads):
        from megenginelite import LiteNetwork
        self.network = LiteNetwork()
        if threads > 1:
            self.network.threads_number = threads
        self.network.load(self.artifact(model))
        self.x = model.input()
        self.input, self.result = (self.network.get_io_tensor(name) for name in ("x", "y"))

    def run(self):
        self.input.set_data_by_copy(self.x)
        self.network.forward()
        self.network.wait()
        self.y = self.result.to_numpy()

    def output(self):
        return self.y
