"""Models as ONNX graphs, and answers from them without PyTorch's layers."""
