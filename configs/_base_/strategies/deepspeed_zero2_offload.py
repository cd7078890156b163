# As stage 2, the optimizer's states in CPU memory. torch's fused AdamW updates them there: no compiler is needed.
strategy = dict(type='DeepSpeedStrategy', stage=2, offload='optimizer')
optim_wrapper = dict(optimizer=dict(fused=True))
