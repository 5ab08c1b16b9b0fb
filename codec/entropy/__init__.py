"""Symbols to bits and back: rANS, contexts, packing, and the frequency tables they are coded by."""
