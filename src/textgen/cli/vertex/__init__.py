"""The commands of `textgen vertex`, for jobs on Vertex AI."""
