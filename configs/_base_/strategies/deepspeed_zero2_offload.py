# As stage 2, the optimizer's states in CPU memory. Updated there by torch's fused AdamW: no compiler is needed.
strategy = dict(type='DeepSpeedStrategy', stage=2, offload='optimizer')
