"""Knowledge shared by data, models and metrics, in plain Python: text labels, prompt templates, class names."""
