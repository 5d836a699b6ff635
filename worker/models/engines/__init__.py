"""What runs a network: ONNX Runtime, OpenVINO, rembg's sessions."""
