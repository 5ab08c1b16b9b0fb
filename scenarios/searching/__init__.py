"""What the search commands share: tables of options, comparisons, playback."""
