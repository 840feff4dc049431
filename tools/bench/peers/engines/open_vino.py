"""OpenVINO's CPU plugin in float32 (its default may be bfloat16), for latency."""
from peers.engine import Engine
from peers.environments import Environment


class OpenVino(Engine):
    name = "openvino"
    reads_quantized = True
    environment = Environment("openvino", ("openvino", "numpy"))

    def load(self, model, threads):
        import openvino
        compiled = openvino.Core().compile_model(self.artifact(model), "CPU", {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        })
        self.request = compiled.create_infer_request()
        self.request.set_input_tensor(openvino.Tensor(model.input()))

    def run(self):
        self.request.infer()

    def output(self):
        return self.request.get_output_tensor().data
