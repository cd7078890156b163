# Optimizer states and gradients are split over the ranks: the first choice for towers that fit a device, such as CoSwin-H.
strategy = dict(type='DeepSpeedStrategy', stage=2)
