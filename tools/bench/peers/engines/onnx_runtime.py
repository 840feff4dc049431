"""ONNX Runtime's CPU provider, input and output bound to arrays."""
from peers.engine import Engine
from peers.environments import Environment


class OnnxRuntime(Engine):
    name = "onnxruntime"
    reads_quantized = True
    environment = Environment("onnxruntime", ("onnxruntime", "numpy"))

    def load(self, model, threads):
        import numpy as np
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(self.artifact(model), options, providers=["CPUExecutionProvider"])
        self.x, self.y = model.input(), np.zeros_like(model.reference())
        self.binding = self.session.io_binding()
        self.binding.bind_input("x", "cpu", 0, np.float32, self.x.shape, self.x.ctypes.data)
        self.binding.bind_output("y", "cpu", 0, np.float32, self.y.shape, self.y.ctypes.data)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def output(self):
        return self.y
