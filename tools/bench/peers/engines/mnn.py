"""MNN's CPU backend in float32."""
import subprocess
import sys

from peers.engine import Engine
from peers.environments import Environment


class Mnn(Engine):
    name = "mnn"
    environment = Environment("mnn", ("MNN", "numpy"))
    suffix = ".mnn"

    def convert(self, model, pythons):
        # The native converter: the script `mnnconvert` around it uploads usage logs.
        subprocess.run([sys.executable, "-c", "import _tools, sys; _tools.mnnconvert(sys.argv)", "-f", "ONNX", "--modelFile",
                        model.path(".onnx"), "--MNNModel", self.artifact(model), "--bizCode", "peers"], check=True)

    def load(self, model, threads):
        import MNN
        import numpy as np
        self.interpreter = MNN.Interpreter(self.artifact(model))
        self.session = self.interpreter.createSession({"numThread": threads, "backend": "CPU", "precision": "high"})
        self.input = self.interpreter.getSessionInput(self.session)
        self.result = self.interpreter.getSessionOutput(self.session)
        x, y = model.input(), np.zeros_like(model.reference())
        nchw = MNN.Tensor_DimensionType_Caffe
        self.x = MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, nchw)
        self.y = MNN.Tensor(y.shape, MNN.Halide_Type_Float, y, nchw)

    def run(self):
        self.input.copyFrom(self.x)
        self.interpreter.runSession(self.session)
        self.result.copyToHostTensor(self.y)

    def output(self):
        return self.y.getNumpyData()
