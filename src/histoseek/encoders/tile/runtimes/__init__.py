"""What computes tile encoders: ONNX Runtime, OpenVINO or torch, on processors and GPUs; measured, and remembered."""
