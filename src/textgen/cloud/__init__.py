"""Describes, starts and watches training jobs of Vertex AI."""
