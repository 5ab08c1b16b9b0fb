"""Where a figure crosses its limit: bracket, refine, two regimes; N* and its inverse."""
