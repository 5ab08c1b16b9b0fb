"""What a run is judged by: meters, columns, laws that must hold, results."""
