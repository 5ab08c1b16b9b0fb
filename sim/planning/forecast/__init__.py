"""What the demands of one request tell before anything is played: bounds, neighbours, work."""
