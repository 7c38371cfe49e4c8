"""The config.yaml of a job in half precision, as earlier versions of textgen wrote it."""

FIRST = """\
texts:
- book.txt
data_dir: null
data_prefix: null
encoding: utf-8
valid_fraction: 0.1
use_fp16: true
lstm_state_size: 8
layers: 1
embedding_size: null
layer_norm: false
num_proj: null
language_model: char
vocab_size: null
lowercase: false
dropout: 0.1
unroll_steps: 64
batch_size: 16
epochs: null
max_steps: 3
minutes: null
optimizer: adamw
learning_rate: 0.004
lr_decay_steps: null
lr_decay_rate: 0.5
weight_decay: 0.1
clip_gradients: 1.0
max_rollbacks: 2
seed: 1
deterministic: false
eval_steps: null
save_steps: null
save_minutes: 5.0
sample_length: 300
job_dir: job/%JOB%
summary_dir: null
"""
"""Of the first version, which had no other precisions."""

BOTH = FIRST.replace("dropout: 0.1", "precision: mixed_float16\ndropout: 0.1")
"""Of a version that stored the setting under both names."""
