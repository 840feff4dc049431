"""ncnn in float32. It has no batch: of a batch it runs the images one after the other."""
import os
import subprocess

from peers.engine import Engine
from peers.environments import TORCH, Environment


class Ncnn(Engine):
    name = "ncnn"
    environment = Environment("ncnn", ("ncnn", "numpy"))
    suffix = ".ncnn.param"
    helpers = (TORCH,)

    def convert(self, model, pythons):
        import numpy as np
        shape = [1, *np.load(model.path(".input.npy"), mmap_mode="r").shape[1:]]
        folder = model.path(".pnnx")  # for what pnnx writes besides
        os.makedirs(folder, exist_ok=True)
        pnnx = [pythons[TORCH.name], "-c", "import pnnx; pnnx.pnnx()"]
        subprocess.run([*pnnx, model.path(".onnx"), "inputshape=" + str(shape).replace(" ", ""), "fp16=0",
                        "ncnnparam=" + self.artifact(model), "ncnnbin=" + model.path(".ncnn.bin")], check=True, cwd=folder)

    def load(self, model, threads):
        import ncnn
        self.network = ncnn.Net()
        options = self.network.opt
        options.num_threads, options.use_vulkan_compute = threads, False
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = options.use_bf16_storage = False
        if self.network.load_param(self.artifact(model)) != 0 or self.network.load_model(model.path(".ncnn.bin")) != 0:
            raise RuntimeError("ncnn did not load " + self.artifact(model))
        self.images = [ncnn.Mat(image).clone() for image in model.input()]

    def run(self):
        import numpy as np
        self.y = []
        for image in self.images:
            extractor = self.network.create_extractor()
            extractor.input("in0", image)
            self.y.append(np.array(extractor.extract("out0")[1]))

    def output(self):
        import numpy as np
        return np.stack(self.y)
