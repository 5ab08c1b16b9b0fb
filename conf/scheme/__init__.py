"""Choices of one configuration group."""
