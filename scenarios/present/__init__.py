"""A value on the screen and on a page."""
