"""Engines that run a network: ONNX Runtime, OpenVINO, rembg's sessions."""
