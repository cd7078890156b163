# Parameters, gradients and optimizer states are split over the ranks: for models that do not fit a device.
strategy = dict(type='DeepSpeedStrategy', stage=3)
