"""Samplers of data sets."""
