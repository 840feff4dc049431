"""A worker (worker.py) that also knows the engines `fake`, `wrong` and `broken`: for tests, in any Python with NumPy."""
import sys

from peers import engines, worker
from peers.engine import Engine


class Fake(Engine):
    name = "fake"

    def load(self, model, threads):
        self.x, self.runs = model.input(), 0

    def run(self):
        self.runs += 1
        print("an engine that talks")  # must not get into the answers

    def output(self):
        return 2 * self.x


class Wrong(Fake):
    name = "wrong"

    def output(self):
        return 3 * self.x


class Broken(Fake):
    name = "broken"

    def run(self):
        if self.runs == 5:
            raise RuntimeError("no more")
        super().run()


for cls in (Fake, Wrong, Broken):
    engines.register(cls.name, __name__, cls.__name__)

if __name__ == "__main__":
    worker.main(*sys.argv[1:])
