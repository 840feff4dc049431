"""LiteRT (TensorFlow Lite) with XNNPACK, its default. It takes the input as NHWC, and gets it so."""
import os
import shutil
import subprocess

from peers.engine import Engine
from peers.environments import Environment

_CONVERTER = Environment("onnx2tf", ("onnx2tf==1.29.24",), pythons=("3.11", "3.12", "3.10"))


class LiteRt(Engine):
    name = "litert"
    environment = Environment("litert", ("ai-edge-litert", "numpy"))
    suffix = ".tflite"
    helpers = (_CONVERTER,)

    def convert(self, model, pythons):
        import numpy as np
        folder = model.path(".onnx2tf")
        os.makedirs(folder, exist_ok=True)
        # onnx2tf looks at some images, which it downloads if there is no file of that name where it runs.
        np.save(os.path.join(folder, "calibration_image_sample_data_20x128x128x3_float32.npy"),
                np.random.default_rng(1).random((20, 128, 128, 3), np.float32))
        bin_folder = os.path.dirname(pythons[_CONVERTER.name])  # it calls tools of its environment by name
        subprocess.run([os.path.join(bin_folder, "onnx2tf"), "-i", model.path(".onnx"), "-o", folder, "-v", "error"], check=True,
                       cwd=folder, env={**os.environ, "PATH": bin_folder + os.pathsep + os.environ["PATH"]})
        shutil.copy(os.path.join(folder, model.name + "_float32.tflite"), self.artifact(model))
        shutil.rmtree(folder)

    def load(self, model, threads):
        import numpy as np
        from ai_edge_litert.interpreter import Interpreter
        self.interpreter = Interpreter(model_path=self.artifact(model), num_threads=threads)
        self.interpreter.allocate_tensors()
        self.shape = model.reference().shape
        self.x = np.ascontiguousarray(model.input().transpose(0, 2, 3, 1))
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.result = self.interpreter.get_output_details()[0]["index"]

    def run(self):
        self.interpreter.set_tensor(self.input, self.x)
        self.interpreter.invoke()
        self.y = self.interpreter.get_tensor(self.result)

    def output(self):
        # The converter leaves out a transposition at the end of a network.
        batch, *rest = self.shape
        return self.y.transpose(0, 2, 1) if self.y.shape == (batch, *rest[::-1]) and self.y.shape != self.shape else self.y
