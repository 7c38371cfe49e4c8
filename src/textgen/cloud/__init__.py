"""Training jobs of Vertex AI: describes, starts and watches them; knows nothing of models."""
