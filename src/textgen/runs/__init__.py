"""Decides everything about a run of training before TensorFlow is loaded: text, settings, job, start and checks."""
