"""Models of CLIP's kind on this machine: pictures and sentences in one space, in ONNX Runtime."""
