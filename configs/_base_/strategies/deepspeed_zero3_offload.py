# As stage 3, parameters and optimizer states in CPU memory.
strategy = dict(type='DeepSpeedStrategy', stage=3, offload='all')
