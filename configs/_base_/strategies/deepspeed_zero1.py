# The optimizer's states are split over the ranks.
strategy = dict(type='DeepSpeedStrategy', stage=1)
