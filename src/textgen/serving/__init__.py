"""Answers HTTP requests with a trained model: text, scores, and a page to play with."""
