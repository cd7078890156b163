# One process, one device.
strategy = dict(type='SingleStrategy')
