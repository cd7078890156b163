# The paper's infrastructure (arXiv 2111.11432, section 2.7): ZeRO and activation checkpointing of attention. Half precision with
# norms and loss in fp32 is optim_wrapper=dict(type='AmpOptimWrapper') in the recipe. For the paper's batch on few devices add
# train_cfg=dict(gradient_cache=dict(chunk_size=N)).
strategy = dict(type='DeepSpeedStrategy', stage=1)
activation_checkpointing = ['*.attn']
