"""Prints the most probable ImageNet classes of a photograph.

    ./bazelw run //tools:compile -- testdata/efficientnet_lite0.mge
    ./bazelw build //python:megenginelite
    PYTHONPATH=bazel-bin/python python3 python/examples/classify.py \
        testdata/efficientnet_lite0.mgec testdata/efficientnet_lite0/chelsea.png

Needs Pillow. The preprocessing is that of EfficientNet-Lite: the short side becomes 256, the centre 224 x 224 is cut out,
(x - 127) / 128, planes of float32.
"""
import sys

import numpy as np
from PIL import Image

import megenginelite as lite


def preprocess(path):
    """float32 [1, 3, 224, 224] from any image file."""
    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), "float32")
    return np.ascontiguousarray(((pixels - 127) / 128).transpose(2, 0, 1)[None])


def main(model, photograph):
    network = lite.LiteNetwork()
    network.load(model)
    network.get_io_tensor(network.get_input_name(0)).set_data_by_copy(preprocess(photograph))
    network.forward()
    network.wait()
    scores = network.get_io_tensor(network.get_output_name(0)).to_numpy().ravel()
    for index in scores.argsort()[::-1][:3]:
        print("class %d: %.1f %%" % (index, 100 * scores[index]))


if __name__ == "__main__":
    main(*sys.argv[1:])
