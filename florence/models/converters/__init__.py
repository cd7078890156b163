"""State-dict maps between official or Hugging Face checkpoints and ours."""
