"""Chunks that are coded in one piece: the usual case of a chain, without Python in between."""
